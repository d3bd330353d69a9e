package strongroom.outline;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import nextflow.script.ast.ProcessNode;
import nextflow.script.ast.WorkflowNode;
import org.codehaus.groovy.ast.Parameter;
import org.codehaus.groovy.ast.VariableScope;
import org.codehaus.groovy.ast.expr.ArgumentListExpression;
import org.codehaus.groovy.ast.expr.BinaryExpression;
import org.codehaus.groovy.ast.expr.ClosureExpression;
import org.codehaus.groovy.ast.expr.Expression;
import org.codehaus.groovy.ast.expr.MapEntryExpression;
import org.codehaus.groovy.ast.expr.MapExpression;
import org.codehaus.groovy.ast.expr.MethodCallExpression;
import org.codehaus.groovy.ast.expr.SpreadExpression;
import org.codehaus.groovy.ast.expr.SpreadMapExpression;
import org.codehaus.groovy.ast.expr.UnaryMinusExpression;
import org.codehaus.groovy.ast.expr.VariableExpression;
import org.codehaus.groovy.ast.stmt.BlockStatement;
import org.codehaus.groovy.ast.stmt.EmptyStatement;
import org.codehaus.groovy.ast.stmt.ExpressionStatement;
import org.codehaus.groovy.ast.stmt.ReturnStatement;
import org.codehaus.groovy.ast.stmt.Statement;

/** Takes a process or a workflow, as Groovy's parser sees it, apart by its labels, as Nextflow does. */
final class LooseSections {
    private static final Set<String> BODIES = Set.of("script", "shell", "exec");
    private static final Set<String> OF_PROCESS = Set.of(
            "input", "output", "when", "script", "shell", "exec", "stub");
    private static final Set<String> OF_WORKFLOW = Set.of("take", "main", "emit", "publish");
    private static final String DIRECTIVES = "";
    private final Loose loose;
    private final Map<String, List<Statement>> sections = new HashMap<>();
    private String last = DIRECTIVES;

    LooseSections(Loose loose) {
        this.loose = loose;
    }

    void process(MethodCallExpression call) {
        var named = Loose.only(call) instanceof MethodCallExpression one && isPlain(one) ? one : null;
        if (named == null || !(Loose.only(named) instanceof ClosureExpression body)) {
            loose.refuse(call, "A process is `process NAME { … }`.");
            return;
        }
        split(body, OF_PROCESS);
        var bodies = BODIES.stream().filter(sections::containsKey).toList();
        String type = bodies.isEmpty() ? "script" : bodies.get(0);
        if (bodies.isEmpty()) {
            implied(call);
        } else if (bodies.size() > 1) {
            loose.refuse(call, "A process has one of script:, shell: and exec:.");
        }
        for (String one : List.of(DIRECTIVES, "input", "output")) {
            check(block(one), one, loose);
        }
        var process = new ProcessNode(named.getMethodAsString(), block(DIRECTIVES), block("input"), block("output"),
                when(), type, block(type), block("stub"));
        process.setSourcePosition(call);
        loose.script.addProcess(process);
    }

    /** Takes the script of a process without a label for it: what stands last. */
    private void implied(MethodCallExpression call) {
        var from = sections.getOrDefault(last.equals("stub") ? DIRECTIVES : last, new ArrayList<>());
        if (sections.containsKey("stub") || from.isEmpty()) {
            loose.refuse(call, "A process has a script: of its own.");
            return;
        }
        Statement script = from.remove(from.size() - 1);
        if (!(script instanceof ExpressionStatement) && !(script instanceof ReturnStatement)) {
            loose.refuse(script, "A process ends in its script.");
        }
        sections.put("script", new ArrayList<>(List.of(script)));
    }

    void workflow(MethodCallExpression call) {
        var given = Loose.only(call);
        var named = given instanceof MethodCallExpression one && isPlain(one) ? one : null;
        var body = named == null ? given : Loose.only(named);
        if (!(body instanceof ClosureExpression closure)) {
            loose.refuse(call, "A workflow is `workflow { … }` or `workflow NAME { … }`.");
            return;
        }
        split(closure, OF_WORKFLOW);
        for (String one : List.of("take", "emit", "publish")) {
            for (Statement said : sections.getOrDefault(one, List.of())) {
                if (!(said instanceof ExpressionStatement)) {
                    loose.refuse(said, "Below " + one + ": stand names alone, or names with a value.");
                }
            }
        }
        var main = new ArrayList<>(sections.getOrDefault(DIRECTIVES, List.of()));
        main.addAll(sections.getOrDefault("main", List.of()));
        sections.put("main", main);
        var workflow = new WorkflowNode(named == null ? null : named.getMethodAsString(),
                block("take"), block("main"), block("emit"), block("publish"));
        workflow.setSourcePosition(call);
        loose.script.addWorkflow(workflow);
        if (named == null && loose.script.getEntry() != null) {
            loose.refuse(call, "A script has one workflow without a name.");
        } else if (named == null) {
            loose.script.setEntry(workflow);
        }
    }

    private void split(ClosureExpression body, Set<String> labels) {
        for (Statement one : Sayings.statements(body.getCode())) {
            var said = one.getStatementLabels();
            // Of several the innermost, as Nextflow has it.
            last = said == null || said.isEmpty() ? last : said.get(0);
            if (!last.equals(DIRECTIVES) && !labels.contains(last)) {
                loose.refuse(one, "There is no section " + Texts.cut(last, 40) + ": here.");
            }
            sections.computeIfAbsent(last, key -> new ArrayList<>()).add(one);
        }
    }

    private Expression when() {
        var said = sections.getOrDefault("when", List.of());
        return said.isEmpty() ? null
                : said.size() == 1 && said.get(0) instanceof ExpressionStatement one ? one.getExpression()
                : new ClosureExpression(Parameter.EMPTY_ARRAY, block("when"));
    }

    private Statement block(String section) {
        var said = sections.get(section);
        return said == null ? EmptyStatement.INSTANCE : new BlockStatement(said, new VariableScope());
    }

    /** Refuses what is no directive, input or output in its place: code there could make one that nobody sees. */
    static void check(Statement section, String name, Loose loose) {
        for (Statement one : Sayings.statements(section)) {
            if (!(one instanceof ExpressionStatement said)) {
                loose.refuse(one, "Directives, inputs and outputs stand by themselves, without code round them.");
                continue;
            }
            if (name.equals(DIRECTIVES)) {
                said.setExpression(signed(said.getExpression()));
            }
            boolean isName = said.getExpression() instanceof VariableExpression;
            boolean isCall = said.getExpression() instanceof MethodCallExpression call && isPlain(call);
            if (!isName && !isCall) {
                loose.refuse(one, "This is no directive, input or output; from and into are of DSL 1, which no longer runs.");
            } else if (isCall && isSpread((MethodCallExpression) said.getExpression())) {
                loose.refuse(one, "What a directive, input or output is given is written out.");
            }
        }
    }

    /** Returns `maxErrors -1` as the call that Nextflow makes of it; all else as it is. */
    private static Expression signed(Expression said) {
        if (said instanceof BinaryExpression minus && minus.getOperation().getText().equals("-")
                && minus.getLeftExpression() instanceof VariableExpression name) {
            var call = new MethodCallExpression(VariableExpression.THIS_EXPRESSION, name.getName(),
                    new ArgumentListExpression(new UnaryMinusExpression(minus.getRightExpression())));
            call.setSourcePosition(minus);
            return call;
        }
        return said;
    }

    private static boolean isPlain(MethodCallExpression call) {
        return call.isImplicitThis() && call.getMethodAsString() != null;
    }

    private static boolean isSpread(MethodCallExpression call) {
        return Sayings.given(call).stream().anyMatch(argument -> argument instanceof SpreadExpression
                || argument instanceof MapExpression map && map.getMapEntryExpressions().stream()
                        .map(MapEntryExpression::getKeyExpression).anyMatch(SpreadMapExpression.class::isInstance));
    }
}
