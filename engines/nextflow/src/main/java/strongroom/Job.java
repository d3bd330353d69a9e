package strongroom;

import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import nextflow.processor.TaskConfig;
import nextflow.processor.TaskProcessor;
import nextflow.processor.TaskRun;
import nextflow.script.params.EnvInParam;
import nextflow.script.params.FileOutParam;

/** Turns one Nextflow task into what the gateway is asked for: a script, what lies beside it, and what it makes. */
final class Job {
    private static final double GIB = 1 << 30;

    private Job() {}

    @SuppressWarnings("unchecked") // Nextflow's method takes a generic array
    static Map<String, Object> of(TaskRun task) {
        String process = process(task.getProcessor().getName());
        if (task.getContainer() == null) {
            throw Refusal.of(
                    "Process " + process + " names no image: add container with a name of images.lock.");
        }
        var executor = new LinkedHashMap<String, Object>();
        executor.put("image", task.getContainer());
        executor.put("script", TaskProcessor.normalizeScript(task.getScript(), task.getConfig().getShell()));
        executor.put("workdir", task.getWorkDir().toString());
        var variables = new LinkedHashMap<String, String>();
        task.getInputsByType(EnvInParam.class).forEach((one, value) -> variables.put(one.getName(), String.valueOf(value)));
        if (!variables.isEmpty()) {
            executor.put("env", variables);
        }
        if (task.getStdin() != null) {
            executor.put("stdin", task.getStdin().toString());
        }
        var module = task.getProcessor().getModuleBundle();
        if (task.getProcessor().getSession().enableModuleBinaries() && module != null && !module.getBinDirs().isEmpty()) {
            executor.put("bin", module.getBinDirs().stream().map(Path::toString).toList());
        }
        var job = new LinkedHashMap<String, Object>();
        job.put("name", process);
        job.put("tags", Map.of("rule", process, "job", task.getId().toString()));
        job.put("resources", resources(task.getConfig()));
        job.put("executors", List.of(executor));
        job.put("inputs", inputs(task.getInputFilesMap()));
        job.put("outputs", new ArrayList<>(outputs(task)));
        return job;
    }

    /** Returns a process's name without the workflows that it was called from. */
    static String process(String name) {
        return name.substring(name.lastIndexOf(':') + 1);
    }

    /** Returns what a task declares as outputs: names, patterns, and the inputs that `includeInputs` passes on. */
    @SuppressWarnings("unchecked") // Nextflow's method takes a generic array
    private static Set<String> outputs(TaskRun task) {
        var outputs = new LinkedHashSet<>(task.getOutputFilesNames());
        for (FileOutParam output : task.getOutputsByType(FileOutParam.class).keySet()) {
            if (output.getIncludeInputs()) {
                var patterns = output.getFilePatterns(task.getContext(), task.getWorkDir());
                outputs.addAll(passedOn(patterns, task.getInputFilesMap().keySet()));
            }
        }
        return outputs;
    }

    /** Returns the names of inputs that one of the patterns takes, as Nextflow itself would. */
    static List<String> passedOn(List<String> patterns, Set<String> staged) {
        var files = FileSystems.getDefault();
        var globs = patterns.stream().map(one -> files.getPathMatcher("glob:" + one)).toList();
        return staged.stream().filter(name -> globs.stream().anyMatch(glob -> glob.matches(Path.of(name)))).toList();
    }

    private static List<Map<String, Object>> inputs(Map<String, Path> staged) {
        var inputs = new ArrayList<Map<String, Object>>();
        staged.forEach((name, path) -> {
            var one = new LinkedHashMap<String, Object>(Map.of("path", path.normalize().toString(), "name", name));
            if (!Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
                one.put("missing", true); // as the name of an optional input that is not given
            }
            inputs.add(one);
        });
        return inputs;
    }

    private static Map<String, Object> resources(TaskConfig config) {
        var resources = new LinkedHashMap<String, Object>();
        resources.put("cpu_cores", config.getCpus());
        if (config.getMemory() != null) {
            resources.put("ram_gb", config.getMemory().getBytes() / GIB);
        }
        if (config.getDisk() != null) {
            resources.put("disk_gb", config.getDisk().getBytes() / GIB);
        }
        if (config.getTime() != null) {
            var seconds = String.valueOf(Math.max(1, config.getTime().toSeconds()));
            resources.put("backend_parameters", Map.of("walltime_seconds", seconds));
        }
        return resources;
    }
}
