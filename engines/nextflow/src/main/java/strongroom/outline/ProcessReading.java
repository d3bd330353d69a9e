package strongroom.outline;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Stream;
import nextflow.script.ast.ProcessNode;
import org.codehaus.groovy.ast.CodeVisitorSupport;
import org.codehaus.groovy.ast.expr.BinaryExpression;
import org.codehaus.groovy.ast.expr.DeclarationExpression;
import org.codehaus.groovy.ast.expr.ConstantExpression;
import org.codehaus.groovy.ast.expr.Expression;
import org.codehaus.groovy.ast.expr.GStringExpression;
import org.codehaus.groovy.ast.expr.MethodCallExpression;
import org.codehaus.groovy.ast.expr.TernaryExpression;
import org.codehaus.groovy.ast.expr.TupleExpression;
import org.codehaus.groovy.ast.expr.VariableExpression;
import org.codehaus.groovy.ast.stmt.EmptyStatement;
import org.codehaus.groovy.ast.stmt.ExpressionStatement;
import org.codehaus.groovy.ast.stmt.IfStatement;
import org.codehaus.groovy.ast.stmt.ReturnStatement;
import org.codehaus.groovy.ast.stmt.Statement;
import org.codehaus.groovy.ast.stmt.ThrowStatement;

/** Reads one process: directives, inputs, outputs, and each text that its script can be. */
final class ProcessReading {
    private static final Set<String> COMPARED = Set.of("==", "!=", "<=", ">=", "===", "!==");
    private static final Set<String> ENDS = Set.of("error", "exit");
    private final String file;
    private final ProcessNode process;
    private final Map<String, List<Object>> found;
    private final Files files;
    private final List<Object> scripts = new ArrayList<>();
    private final List<Object> locals = new ArrayList<>();
    private boolean returns; // before its end

    ProcessReading(String file, ProcessNode process, Map<String, List<Object>> found, Files files) {
        this.file = file;
        this.process = process;
        this.found = found;
        this.files = files;
    }

    Map<String, Object> read() {
        boolean isExec = "exec".equals(process.type);
        if (!isExec) {
            scripts(process.exec);
        }
        var said = new CodeReading(file, "process", found);
        Stream.of(process.directives, process.inputs, process.outputs, process.when)
                .filter(Objects::nonNull)
                .forEach(part -> part.visit(said));
        if (process.exec != null) {
            process.exec.visit(new CodeReading(file, isExec ? "exec" : "script", found));
        }
        var one = new LinkedHashMap<String, Object>();
        one.put("name", Texts.cut(process.getName(), 390));
        one.put("file", file);
        one.put("line", process.getLineNumber());
        one.put("kind", process.type == null ? "script" : process.type);
        one.put("directives", Sayings.of(process.directives));
        one.put("inputs", Sayings.of(process.inputs));
        one.put("outputs", Sayings.of(process.outputs));
        one.put("scripts", scripts);
        one.put("locals", settled(isExec ? Map.of() : Turns.after(process.exec)));
        one.put("stub", process.stub != null && !(process.stub instanceof EmptyStatement));
        return one;
    }

    /** Returns the names' values: of one that has several, or stands on such a one, what it is in the end, if known. */
    private List<Object> settled(Map<String, List<String>> known) {
        var all = new LinkedHashMap<String, List<Map<?, ?>>>();
        locals.forEach(one -> all.computeIfAbsent(String.valueOf(((Map<?, ?>) one).get("name")), key -> new ArrayList<>())
                .add((Map<?, ?>) one));
        var settled = new ArrayList<Object>();
        var turned = new HashSet<Object>();
        all.forEach((name, values) -> {
            var forms = known.get(name);
            boolean isOne = values.size() < 2 && ((List<?>) values.get(0).get("names")).stream().noneMatch(turned::contains);
            if (isOne || returns || forms == null || forms.isEmpty()) {
                settled.addAll(values);
                return;
            }
            turned.add(name);
            var one = new LinkedHashMap<String, Object>();
            one.put("name", name);
            one.put("text", Texts.cut(name + " in " + values.size() + " turns", Texts.MOST_TEXT));
            for (String key : List.of("names", "params")) {
                one.put(key, values.stream().flatMap(value -> ((List<?>) value.get(key)).stream()).distinct().limit(200).toList());
            }
            one.put("choices", null);
            one.put("forms", forms);
            settled.add(one);
        });
        return settled;
    }

    /** Notes the texts that a block can end in, and the names that it gives to values before. */
    private void scripts(Statement block) {
        var all = Sayings.statements(block);
        for (int n = 0; n < all.size(); n++) {
            Statement one = all.get(n);
            boolean isLast = n == all.size() - 1;
            if (one instanceof IfStatement choice) {
                if (isLast) {
                    scripts(choice.getIfBlock());
                    scripts(choice.getElseBlock());
                } else {
                    locals(choice);
                }
            } else if (one instanceof ReturnStatement returned) {
                returns |= !isLast;
                script(returned.getExpression());
            } else if (one instanceof ExpressionStatement said) {
                local(said.getExpression());
                if (isLast && !(said.getExpression() instanceof DeclarationExpression)) {
                    script(said.getExpression());
                }
            } else if (isLast && !(one instanceof EmptyStatement) && !(one instanceof ThrowStatement)) {
                computed(one.getText(), one.getLineNumber());
            } else {
                locals(one);
            }
        }
    }

    /** Notes what is given to names below a statement that is not the last, and the scripts that it returns. */
    private void locals(Statement block) {
        block.visit(new CodeVisitorSupport() {
            @Override
            public void visitExpressionStatement(ExpressionStatement said) {
                local(said.getExpression());
            }

            @Override
            public void visitReturnStatement(ReturnStatement returned) {
                returns = true;
                script(returned.getExpression());
            }
        });
    }

    private void local(Expression expression) {
        if (expression instanceof BinaryExpression added && added.getOperation().getText().equals("<<")) {
            option(added.getLeftExpression(), added.getRightExpression());
        } else if (expression instanceof MethodCallExpression call && "add".equals(call.getMethodAsString())
                && call.getArguments() instanceof TupleExpression given && given.getExpressions().size() == 1) {
            option(call.getObjectExpression(), given.getExpression(0));
        }
        if (expression instanceof org.codehaus.groovy.ast.expr.BinaryExpression set
                && set.getOperation().getText().endsWith("=") && !COMPARED.contains(set.getOperation().getText())
                && set.getLeftExpression() instanceof VariableExpression variable) {
            var words = new Words();
            set.getRightExpression().visit(words);
            var one = new LinkedHashMap<String, Object>();
            one.put("name", Texts.cut(variable.getName(), 390));
            // What is added to is neither the value before nor this one.
            boolean isWhole = set.getOperation().getText().equals("=");
            String added = variable.getName() + " " + set.getOperation().getText() + " ";
            one.put("text", Texts.cut((isWhole ? "" : added) + Texts.of(set.getRightExpression()), Texts.MOST_TEXT));
            one.put("names", words.names());
            one.put("params", words.params());
            one.put("choices", isWhole ? Texts.choices(set.getRightExpression()) : null);
            locals.add(one);
        }
    }

    /** Notes an option that is put into a list: what the list was before is not all of it. */
    private void option(Expression list, Expression value) {
        boolean isText = value instanceof ConstantExpression || value instanceof GStringExpression;
        if (isText && value.getText().startsWith("-") && list instanceof VariableExpression variable) {
            var words = new Words();
            value.visit(words);
            var one = new LinkedHashMap<String, Object>();
            one.put("name", Texts.cut(variable.getName(), 390));
            one.put("text", Texts.cut(variable.getName() + " << " + Texts.of(value), Texts.MOST_TEXT));
            one.put("names", words.names());
            one.put("params", words.params());
            one.put("choices", null);
            locals.add(one);
        }
    }

    private void script(Expression expression) {
        if (expression instanceof TernaryExpression choice) {
            script(choice.getTrueExpression());
            script(choice.getFalseExpression());
            return;
        }
        if (expression instanceof MethodCallExpression call && call.isImplicitThis()
                && ENDS.contains(String.valueOf(call.getMethodAsString()))) {
            return; // it ends the run, and is no script
        }
        int line = expression.getLineNumber();
        var parts = Texts.script(expression, "shell".equals(process.type));
        if (parts != null) {
            add("text", line + Texts.linesBefore(expression), null, parts);
        } else if (expression instanceof MethodCallExpression call && "template".equals(call.getMethodAsString())
                && call.getArguments() instanceof TupleExpression arguments && arguments.getExpressions().size() == 1
                && arguments.getExpression(0) instanceof ConstantExpression named) {
            template(String.valueOf(named.getValue()), line);
        } else {
            computed(Texts.of(expression), line);
        }
    }

    private void template(String named, int line) {
        var from = java.nio.file.Path.of(file).getParent();
        String beside = (from == null ? "" : from + "/") + "templates/" + named;
        for (String path : List.of(beside, "templates/" + named)) {
            if (!named.contains("..") && files.isFile(path)) {
                String text = files.text(path);
                add("template", line, path, text == null ? List.of() : List.of(Texts.cut(text, 50_000)));
                return;
            }
        }
        computed("template " + named, line);
    }

    private void computed(String text, int line) {
        add("computed", line, null, List.of(Texts.cut(text, 390)));
    }

    private void add(String kind, int line, String path, List<Object> parts) {
        var one = new LinkedHashMap<String, Object>();
        one.put("kind", kind);
        one.put("line", Math.max(0, line));
        one.put("path", path);
        one.put("parts", parts.stream().map(part -> part instanceof String text ? Map.of("text", text) : Map.of("hole", part)).toList());
        scripts.add(one);
    }
}
