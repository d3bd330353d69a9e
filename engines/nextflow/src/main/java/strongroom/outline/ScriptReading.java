package strongroom.outline;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import nextflow.script.ast.OutputNode;
import nextflow.script.ast.ParamNode;
import nextflow.script.ast.ProcessNode;
import nextflow.script.ast.ScriptNode;
import nextflow.script.ast.WorkflowNode;
import org.codehaus.groovy.ast.expr.Expression;
import org.codehaus.groovy.ast.expr.PropertyExpression;
import org.codehaus.groovy.ast.expr.VariableExpression;
import org.codehaus.groovy.ast.stmt.BlockStatement;
import org.codehaus.groovy.ast.stmt.ExpressionStatement;
import org.codehaus.groovy.ast.stmt.Statement;

/** Reads one script: what it declares, and what its code outside of processes would do. */
final class ScriptReading {
    private final String file;
    private final ScriptNode script;
    private final Statement beside;
    private final Slots slots = new Slots();
    private final Map<String, List<Object>> found;
    private final Files files;

    /** `beside`: the statements that stand beside what the script declares, and run before it. */
    ScriptReading(String file, ScriptNode script, Statement beside, Map<String, List<Object>> found, Files files) {
        this.file = file;
        this.script = script;
        this.beside = beside;
        this.found = found;
        this.files = files;
    }

    void read() {
        script.getParams().forEach(this::parameter);
        beside.visit(new CodeReading(file, "workflow", found, slots));
        for (ProcessNode process : script.getProcesses()) {
            found.get("processes").add(new ProcessReading(file, process, found, files).read());
        }
        for (WorkflowNode workflow : script.getWorkflows()) {
            workflow(workflow);
        }
        if (script.getEntry() != null && !script.getWorkflows().contains(script.getEntry())) {
            workflow(script.getEntry());
        }
        for (var function : script.getFunctions()) {
            found.get("functions").add(Map.of(
                    "file", file, "line", function.getLineNumber(), "name", Texts.cut(function.getName(), 390),
                    "takes", Stream.of(function.getParameters()).limit(200).map(one -> Texts.cut(one.getName(), 390)).toList()));
            var code = new CodeReading(file, "function", found, new Slots(slots));
            CodeReading.givenBefore(function.getParameters()).forEach(one -> one.visit(code));
            function.getCode().visit(code);
        }
        if (script.getOutputs() != null) {
            for (OutputNode output : script.getOutputs().declarations) {
                var one = new LinkedHashMap<String, Object>();
                one.put("file", file);
                one.put("line", Math.max(0, script.getOutputs().getLineNumber()));
                one.put("name", Texts.cut(output.name, 390));
                one.put("directives", Sayings.of(output.body));
                found.get("outputs").add(one);
                output.body.visit(new CodeReading(file, "output", found));
            }
        }
        for (var flag : script.getFeatureFlags()) {
            found.get("flags").add(Map.of(
                    "file", file, "line", flag.getLineNumber(), "name", Texts.cut(flag.name, 390), "value", Texts.value(flag.value)));
        }
    }

    private void parameter(ParamNode parameter) {
        var code = new CodeReading(file, "workflow", found);
        if (parameter.target instanceof PropertyExpression property && Words.parameter(property) != null) {
            code.parameter(Words.parameter(property), property, parameter.value);
        }
        if (parameter.value != null) {
            parameter.value.visit(code);
        }
    }

    private void workflow(WorkflowNode workflow) {
        var one = new LinkedHashMap<String, Object>();
        one.put("file", file);
        one.put("line", Math.max(0, workflow.getLineNumber()));
        one.put("name", workflow.isEntry() ? "" : Texts.cut(workflow.getName(), 390));
        one.put("takes", names(workflow.takes));
        one.put("emits", Channels.section(workflow.emits));
        one.put("publishes", Channels.section(workflow.publishers));
        var named = new ArrayList<>(Channels.named(beside));
        named.addAll(Channels.named(workflow.main));
        one.put("named", named.stream().limit(Channels.MOST).toList());
        found.get("workflows").add(one);
        var code = new CodeReading(file, "workflow", found, new Slots(slots));
        Stream.of(workflow.main, workflow.emits, workflow.publishers)
                .filter(Objects::nonNull) // of a workflow without one
                .forEach(part -> part.visit(code));
    }

    private static List<String> names(Statement section) {
        var names = new ArrayList<String>();
        if (section instanceof BlockStatement block) {
            for (Statement one : block.getStatements()) {
                if (one instanceof ExpressionStatement said) {
                    names.add(name(said.getExpression()));
                }
            }
        }
        return names;
    }

    private static String name(Expression expression) {
        return expression instanceof VariableExpression variable ? Texts.cut(variable.getName(), 300) : Texts.of(expression);
    }
}
