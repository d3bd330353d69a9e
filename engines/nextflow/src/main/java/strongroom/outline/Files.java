package strongroom.outline;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BiConsumer;
import java.util.regex.Pattern;
import nextflow.config.ast.ConfigNode;
import nextflow.config.control.ConfigParser;
import nextflow.script.ast.IncludeModuleNode;
import nextflow.script.ast.IncludeNode;
import nextflow.script.ast.ScriptNode;
import nextflow.script.control.ScriptParser;
import org.codehaus.groovy.GroovyBugError;
import org.codehaus.groovy.ast.ASTNode;
import org.codehaus.groovy.ast.ModuleNode;
import org.codehaus.groovy.ast.stmt.BlockStatement;
import org.codehaus.groovy.ast.stmt.Statement;
import org.codehaus.groovy.control.CompilationFailedException;
import org.codehaus.groovy.control.SourceUnit;
import org.codehaus.groovy.control.messages.Message;
import org.codehaus.groovy.control.messages.SyntaxErrorMessage;

/** Follows a workflow's files from its entry by literal includes, and reads the Groovy code beside them. */
final class Files {
    private static final int MOST_FILES = 200;
    private static final int MOST_BYTES = 1 << 20;
    private static final int MOST_PROGRAM = 1 << 18;
    // Groovy's grammars take minutes for brackets in tens of thousands, and hundreds are no workflow either.
    private static final int DEEPEST = 200;
    private static final List<String> SECTIONS = List.of(
            "files", "includes", "processes", "workflows", "outputs", "flags", "functions", "params", "calls", "texts", "code",
            "programs", "configs", "settings", "errors");

    // A workflow's, and its modules'.
    private static final Pattern PROGRAMS = Pattern.compile("(bin|(.*/)?resources/(usr/(local/)?)?bin)/.*");

    private final Path folder;
    private final Map<String, List<Object>> found = new LinkedHashMap<>();
    private int programs;

    Files(Path folder) {
        this.folder = folder;
        SECTIONS.forEach(name -> found.put(name, new ArrayList<>()));
    }

    Map<String, List<Object>> follow(String entry) {
        var waiting = new ArrayDeque<String>(List.of(entry));
        var seen = new LinkedHashSet<String>();
        while (!waiting.isEmpty()) {
            var path = waiting.poll();
            if (seen.size() < MOST_FILES && seen.add(path)) {
                waiting.addAll(script(path));
            }
        }
        beside(seen);
        return found;
    }

    void error(String file, int line, String message) {
        found.get("errors").add(Map.of("file", file, "line", Math.max(0, line), "message", Texts.cut(message, 390)));
    }

    /** Returns the text of a file in the folder, or null if a reader of it would have no end. */
    String text(String path) {
        var file = folder.resolve(path);
        try {
            if (java.nio.file.Files.size(file) > MOST_BYTES) {
                error(path, 0, "The file is larger than a MiB.");
                return null;
            }
            String text = java.nio.file.Files.readString(file, StandardCharsets.UTF_8);
            if (depth(text) > DEEPEST) {
                error(path, 0, "The file is nested too deeply.");
                return null;
            }
            return text;
        } catch (java.nio.charset.CharacterCodingException wrong) {
            error(path, 0, "The file is not UTF-8.");
            return null;
        } catch (IOException gone) {
            throw new UncheckedIOException(gone);
        }
    }

    /** Returns how many brackets stand open at most, whatever they mean. */
    private static int depth(String text) {
        int open = 0;
        int most = 0;
        for (int n = 0; n < text.length(); n++) {
            char one = text.charAt(n);
            open += one == '(' || one == '[' || one == '{' ? 1 : one == ')' || one == ']' || one == '}' ? -1 : 0;
            open = Math.max(0, open);
            most = Math.max(most, open);
        }
        return most;
    }

    boolean isFile(String path) {
        return java.nio.file.Files.isRegularFile(folder.resolve(path));
    }

    private Set<String> script(String path) {
        var next = new LinkedHashSet<String>();
        String text = noted(path, true);
        if (text == null) {
            return next;
        }
        guarded(path, () -> {
            SourceUnit source = new ScriptParser().parse(folder.resolve(path).toFile());
            // What the strict parser refuses is read by the one that would run it.
            Loose loose = errors(source).isEmpty() && source.getAST() instanceof ScriptNode ? null
                    : Loose.of(folder.resolve(path).toFile(), text);
            if (loose != null && loose.refused.isEmpty()) {
                script(path, loose.script, loose.statements, next);
                return;
            }
            if (loose != null) {
                loose.refused.forEach(one -> error(path, one.line(), one.why()));
            } else {
                errors(path, source);
            }
            if (source.getAST() instanceof ScriptNode script) {
                script(path, script, new BlockStatement(), next);
            } else if (!isWrong(path)) {
                error(path, 0, "Nextflow's parser gives up on this file without a word; it may be nested too deeply.");
            }
        });
        return next;
    }

    private void script(String path, ScriptNode script, Statement beside, Set<String> next) {
        script.getIncludes().forEach(one -> included(path, one, next));
        new ScriptReading(path, script, beside, found, this).read();
    }

    private void included(String path, IncludeNode include, Set<String> next) {
        String named = String.valueOf(include.source.getValue());
        String target = target(path, named);
        if (target != null) {
            next.add(target);
        }
        var one = new LinkedHashMap<String, Object>();
        one.put("file", path);
        one.put("line", include.getLineNumber());
        one.put("source", Texts.cut(named, 390));
        one.put("target", target);
        one.put("names", include.modules.stream().limit(200).map(Files::names).toList());
        found.get("includes").add(one);
    }

    private static List<String> names(IncludeModuleNode module) {
        return List.of(Texts.cut(module.name, 390), Texts.cut(module.getNameOrAlias(), 390));
    }

    /** Returns the file of the folder that an include names, as Nextflow looks for it; null if there is none. */
    private String target(String path, String named) {
        boolean isOfFolder = named.startsWith(Loose.FOLDER);
        if (!named.startsWith("./") && !named.startsWith("../") && !isOfFolder) {
            return null;
        }
        Path inside = isOfFolder ? Path.of(named.substring(Loose.FOLDER.length())).normalize() : beside(path, named);
        if (inside.isAbsolute() || inside.startsWith("..")) {
            return null;
        }
        for (String one : List.of(inside + "", inside + ".nf", inside + "/main.nf")) {
            if (isFile(one)) {
                return one;
            }
        }
        return null;
    }

    private static Path beside(String path, String named) {
        Path from = Path.of(path).getParent();
        return (from == null ? Path.of(named) : from.resolve(named)).normalize();
    }

    /** Notes what lies beside the scripts: code in lib/, read by Groovy's own parser, and configurations. */
    private void beside(Set<String> scripts) {
        try (var files = java.nio.file.Files.walk(folder)) {
            for (Path file : (Iterable<Path>) files.filter(java.nio.file.Files::isRegularFile).sorted()::iterator) {
                String path = folder.relativize(file).toString();
                if (path.startsWith("lib/") && path.endsWith(".groovy")) {
                    found.get("code").add(path);
                    groovy(path);
                } else if (path.startsWith("lib/") && path.endsWith(".jar")) {
                    found.get("code").add(path);
                } else if (PROGRAMS.matcher(path).matches()) {
                    program(path);
                } else if (path.endsWith(".config")) {
                    config(path);
                } else if (path.endsWith(".nf") && !scripts.contains(path)) {
                    script(path);
                }
            }
        } catch (IOException gone) {
            throw new UncheckedIOException(gone);
        }
    }

    private void config(String path) {
        if (found.get("configs").size() >= MOST_FILES || found.get("configs").contains(path)) {
            return;
        }
        found.get("configs").add(path);
        String text = noted(path, false);
        if (text == null) {
            return;
        }
        var includes = new ArrayList<String>();
        guarded(path, () -> {
            // Parsed and no more: what it includes is not looked for, and no name is resolved.
            SourceUnit source = new ConfigParser().parse(folder.resolve(path).toFile());
            var reading = new ConfigReading(path, found);
            if (!errors(source).isEmpty() && loose(path, text, reading)) {
                includes.addAll(reading.includes());
                return;
            }
            errors(path, source);
            if (source.getAST() instanceof ConfigNode config) {
                reading.visit(config);
                includes.addAll(reading.includes());
            } else if (!isWrong(path)) {
                error(path, 0, "Nextflow's parser gives up on this file without a word; it may be nested too deeply.");
            }
        });
        for (String named : includes) {
            Path inside = beside(path, named);
            if (!inside.isAbsolute() && !inside.startsWith("..") && isFile(inside + "")) {
                config(inside + "");
            }
        }
    }

    /** Reads a configuration by Groovy's parser, and returns whether that takes it. */
    private boolean loose(String path, String text, ConfigReading reading) {
        ModuleNode module = Loose.module(Loose.source(folder.resolve(path).toFile()), text);
        if (module == null) {
            return false;
        }
        BiConsumer<ASTNode, String> refuse = (node, why) -> error(path, node.getLineNumber(), why);
        new LooseConfig(reading, refuse).read(module);
        Misplaced.look(module, refuse);
        return true;
    }

    /** Notes a program that scripts find on their PATH; no text is said of what is none. */
    private void program(String path) {
        try {
            byte[] bytes = java.nio.file.Files.size(folder.resolve(path)) > MOST_PROGRAM
                    ? null : java.nio.file.Files.readAllBytes(folder.resolve(path));
            if (bytes == null || (programs += bytes.length) > MOST_BYTES) {
                error(path, 0, "Programs in bin/ have more text than an outline holds.");
                return;
            }
            String text = new String(bytes, StandardCharsets.UTF_8);
            boolean isText = text.indexOf('\0') < 0 && Arrays.equals(text.getBytes(StandardCharsets.UTF_8), bytes);
            var one = new LinkedHashMap<String, Object>();
            one.put("path", path);
            one.put("text", isText ? text : null);
            found.get("programs").add(one);
        } catch (IOException gone) {
            throw new UncheckedIOException(gone);
        }
    }

    private void groovy(String path) {
        if (noted(path, false) == null) {
            return;
        }
        guarded(path, () -> {
            SourceUnit source = Loose.source(folder.resolve(path).toFile());
            try {
                source.parse();
                ModuleNode module = source.buildAST();
                new CodeReading(path, "lib", found).module(module);
            } catch (CompilationFailedException wrong) {
                errors(path, source);
            }
        });
    }

    private String noted(String path, boolean isScript) {
        if (!isFile(path)) {
            error(path, 0, "The folder has no such file.");
            return null;
        }
        String text = text(path);
        if (text != null) {
            found.get("files").add(Map.of(
                    "path", path, "digest", digest(text), "lines", (int) text.lines().count(), "is_script", isScript));
        }
        return text;
    }

    private void errors(String path, SourceUnit source) {
        for (Message one : errors(source)) {
            if (one instanceof SyntaxErrorMessage syntax) {
                error(path, syntax.getCause().getStartLine(), syntax.getCause().getOriginalMessage());
            }
        }
        if (!errors(source).isEmpty() && !isWrong(path)) {
            error(path, 0, "Nextflow's parser cannot read this file.");
        }
    }

    private static List<? extends Message> errors(SourceUnit source) {
        var errors = source.getErrorCollector().getErrors();
        return errors == null ? List.of() : errors;
    }

    private boolean isWrong(String path) {
        return found.get("errors").stream().anyMatch(one -> path.equals(((Map<?, ?>) one).get("file")));
    }

    /** Does what a file alone can make fail: the others are read all the same. */
    private void guarded(String path, Runnable reading) {
        try {
            reading.run();
        } catch (StackOverflowError deep) {
            error(path, 0, "The file is nested too deeply.");
        } catch (GroovyBugError | RuntimeException crash) {
            error(path, 0, "Nextflow's parser fails on this file: " + crash.getClass().getSimpleName() + ".");
        }
    }

    private static String digest(String text) {
        try {
            var digest = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
            return "sha256:" + HexFormat.of().formatHex(digest);
        } catch (NoSuchAlgorithmException impossible) {
            throw new IllegalStateException(impossible);
        }
    }
}
