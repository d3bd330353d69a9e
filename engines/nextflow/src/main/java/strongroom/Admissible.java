package strongroom;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import nextflow.processor.TaskProcessor;
import nextflow.script.ScriptType;
import nextflow.script.params.CmdEvalParam;
import nextflow.script.params.EnvOutParam;
import nextflow.script.params.StdOutParam;
import nextflow.script.params.TupleInParam;
import nextflow.script.params.TupleOutParam;

/** Decides which processes may be sent to tasks; any other stops the workflow before its first task. */
final class Admissible {
    // Directives that would run code inside the engine, or that no task could obey.
    private static final Map<String, String> REFUSED_DIRECTIVES = new LinkedHashMap<>();
    private static final Map<String, String> REFUSED_PARAMETERS = new LinkedHashMap<>();
    private static final String NATIVE =
            "exec: runs inside the engine, which sees no data: write the steps as script:.";
    private static final String DEEP = "cache 'deep' would read what the engine cannot see: leave it out.";

    static {
        REFUSED_DIRECTIVES.put("storeDir", "storeDir keeps files beyond the run: leave it out; a resumed run does nothing twice.");
        REFUSED_DIRECTIVES.put("beforeScript", "beforeScript: put it at the beginning of script:.");
        REFUSED_DIRECTIVES.put("afterScript", "afterScript: put it at the end of script:.");
        REFUSED_DIRECTIVES.put("module", "module: the tools come with the image: name one with container.");
        REFUSED_DIRECTIVES.put("secret", "secret: tasks have no secrets; leave it out.");
        REFUSED_DIRECTIVES.put("array", "array: each job is one task; leave it out.");
        REFUSED_PARAMETERS.put(StdOutParam.class.getName(), "Output stdout would show data to the engine: write a file and declare path.");
        REFUSED_PARAMETERS.put(EnvOutParam.class.getName(), "Output env would show data to the engine: write a file and declare path.");
        REFUSED_PARAMETERS.put(CmdEvalParam.class.getName(), "Output eval would show data to the engine: write a file and declare path.");
    }

    private static final Map<String, List<String>> WRONG = new ConcurrentHashMap<>();

    private Admissible() {}

    /** Notes what is wrong with a process; all are created before the first task is asked for. */
    static void note(TaskProcessor processor) {
        var sentences = new ArrayList<String>();
        if (processor.getTaskBody().getType() == ScriptType.GROOVY) {
            sentences.add(NATIVE);
        }
        REFUSED_DIRECTIVES.forEach((directive, sentence) -> {
            if (isSet(processor.getConfig().get(directive))) {
                sentences.add(sentence);
            }
        });
        if ("deep".equals(String.valueOf(processor.getConfig().get("cache")))) {
            sentences.add(DEEP);
        }
        flat(processor.getConfig().getInputs()).forEach(one -> judge(one, sentences));
        flat(processor.getConfig().getOutputs()).forEach(one -> judge(one, sentences));
        if (!sentences.isEmpty()) {
            WRONG.put(processor.getName(), sentences);
        }
    }

    /** Returns what its author can do about each process that cannot be tasks; null when all can. */
    static String sentences() {
        if (WRONG.isEmpty()) {
            return null;
        }
        var lines = new StringBuilder("This workflow cannot run here:");
        WRONG.forEach((name, sentences) -> sentences.forEach(
                sentence -> lines.append("\n  process ").append(name).append(": ").append(sentence)));
        return lines.toString();
    }

    private static boolean isSet(Object value) {
        return value != null && !(value instanceof List<?> list && list.isEmpty()) && !Boolean.FALSE.equals(value);
    }

    private static void judge(Object parameter, List<String> sentences) {
        String sentence = REFUSED_PARAMETERS.get(parameter.getClass().getName());
        if (sentence != null) {
            sentences.add(sentence);
        }
    }

    private static List<Object> flat(List<?> parameters) {
        var all = new ArrayList<Object>();
        for (Object one : parameters) {
            if (one instanceof TupleInParam tuple) {
                all.addAll(tuple.getInner());
            } else if (one instanceof TupleOutParam tuple) {
                all.addAll(tuple.getInner());
            } else {
                all.add(one);
            }
        }
        return all;
    }
}
