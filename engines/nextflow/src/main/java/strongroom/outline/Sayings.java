package strongroom.outline;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.codehaus.groovy.ast.expr.Expression;
import org.codehaus.groovy.ast.expr.MapExpression;
import org.codehaus.groovy.ast.expr.MethodCallExpression;
import org.codehaus.groovy.ast.expr.TupleExpression;
import org.codehaus.groovy.ast.expr.VariableExpression;
import org.codehaus.groovy.ast.stmt.BlockStatement;
import org.codehaus.groovy.ast.stmt.EmptyStatement;
import org.codehaus.groovy.ast.stmt.ExpressionStatement;
import org.codehaus.groovy.ast.stmt.Statement;

/** Says what a section of directives, inputs or outputs says, line by line. */
final class Sayings {
    private Sayings() {}

    static List<Object> of(Statement section) {
        var all = new ArrayList<Object>();
        for (Statement one : statements(section)) {
            if (one instanceof ExpressionStatement said) {
                all.add(of(said.getExpression()));
            }
        }
        return all;
    }

    static List<Statement> statements(Statement section) {
        return section instanceof BlockStatement block ? block.getStatements()
                : section == null || section instanceof EmptyStatement ? List.of() : List.of(section);
    }

    /** Returns the arguments of a call, as they stand. */
    static List<Expression> given(MethodCallExpression call) {
        return call.getArguments() instanceof TupleExpression given ? given.getExpressions() : List.of();
    }

    /** Returns a directive or parameter: its name, and its arguments, those by name and those that are such themselves apart. */
    private static Map<String, Object> of(Expression expression) {
        var one = new LinkedHashMap<String, Object>();
        var values = new ArrayList<Object>();
        var named = new LinkedHashMap<String, Object>();
        var inner = new ArrayList<Object>();
        boolean isCall = expression instanceof MethodCallExpression;
        one.put("name", isCall ? Texts.cut(((MethodCallExpression) expression).getMethodAsString(), 390)
                : expression instanceof VariableExpression variable ? Texts.cut(variable.getName(), 390) : "");
        one.put("line", Math.max(0, expression.getLineNumber()));
        one.put("text", Texts.of(expression));
        if (isCall && ((MethodCallExpression) expression).getArguments() instanceof TupleExpression arguments) {
            for (Expression argument : arguments.getExpressions()) {
                if (argument instanceof MapExpression map) {
                    map.getMapEntryExpressions().forEach(entry -> named.put(
                            Texts.cut(entry.getKeyExpression().getText(), 390), Texts.value(entry.getValueExpression())));
                } else if (argument instanceof MethodCallExpression call && call.isImplicitThis()) {
                    inner.add(of(call));
                } else {
                    values.add(Texts.value(argument));
                }
            }
        }
        one.put("values", values);
        one.put("named", named);
        one.put("inner", inner);
        return one;
    }
}
