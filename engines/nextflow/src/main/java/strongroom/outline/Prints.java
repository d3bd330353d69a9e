package strongroom.outline;

import java.util.List;
import java.util.Set;
import org.codehaus.groovy.ast.expr.BinaryExpression;
import org.codehaus.groovy.ast.expr.BooleanExpression;
import org.codehaus.groovy.ast.expr.ClosureExpression;
import org.codehaus.groovy.ast.expr.ConstantExpression;
import org.codehaus.groovy.ast.expr.Expression;
import org.codehaus.groovy.ast.expr.GStringExpression;
import org.codehaus.groovy.ast.expr.ListExpression;
import org.codehaus.groovy.ast.expr.MapExpression;
import org.codehaus.groovy.ast.expr.MethodCallExpression;
import org.codehaus.groovy.ast.expr.PropertyExpression;
import org.codehaus.groovy.ast.expr.TernaryExpression;
import org.codehaus.groovy.ast.expr.UnaryMinusExpression;
import org.codehaus.groovy.ast.expr.VariableExpression;
import org.codehaus.groovy.ast.stmt.EmptyStatement;
import org.codehaus.groovy.ast.stmt.ExpressionStatement;
import org.codehaus.groovy.ast.stmt.IfStatement;
import org.codehaus.groovy.ast.stmt.ReturnStatement;
import org.codehaus.groovy.ast.stmt.BlockStatement;
import org.codehaus.groovy.ast.stmt.Statement;

/** Says whether a closure does no more than print; what is not known to be harmless is not. */
final class Prints {
    private static final Set<String> SAYS = Set.of("print", "println", "printf");
    private static final Set<String> LOGS = Set.of("trace", "debug", "info", "warn", "error");
    private static final Set<String> SHAPES = Set.of(
            "stripIndent", "stripMargin", "trim", "strip", "join", "toString", "toUpperCase", "toLowerCase",
            "capitalize", "padLeft", "padRight", "center", "multiply", "size", "replace", "format", "isEmpty", "contains");
    private static final Set<String> COMPUTES = Set.of(
            "+", "-", "*", "/", "%", "==", "!=", "<", ">", "<=", ">=", "&&", "||", "[");
    private static final Set<String> READS = Set.of("text", "bytes", "class", "metaClass", "properties");

    private Prints() {}

    static boolean only(Expression expression) {
        return expression instanceof ClosureExpression closure
                && CodeReading.givenBefore(closure.getParameters()).isEmpty() && prints(closure.getCode());
    }

    private static boolean prints(Statement statement) {
        if (statement instanceof BlockStatement block) {
            return block.getStatements().stream().allMatch(Prints::prints);
        }
        if (statement instanceof IfStatement choice) {
            return isPlain(choice.getBooleanExpression())
                    && prints(choice.getIfBlock()) && prints(choice.getElseBlock());
        }
        if (statement instanceof ReturnStatement returned) {
            return prints(returned.getExpression());
        }
        return statement instanceof EmptyStatement
                || statement instanceof ExpressionStatement said && prints(said.getExpression());
    }

    private static boolean prints(Expression expression) {
        if (expression instanceof TernaryExpression choice) {
            return isPlain(choice.getBooleanExpression())
                    && prints(choice.getTrueExpression()) && prints(choice.getFalseExpression());
        }
        if (expression instanceof BinaryExpression set && set.getOperation().getText().equals("=")) {
            return set.getLeftExpression() instanceof VariableExpression && isPlain(set.getRightExpression());
        }
        if (expression instanceof MethodCallExpression call && call.getMethodAsString() != null) {
            boolean says = call.isImplicitThis() && SAYS.contains(call.getMethodAsString())
                    || "log".equals(call.getObjectExpression().getText()) && LOGS.contains(call.getMethodAsString());
            return (says && arePlain(Sayings.given(call))) || isPlain(call);
        }
        return isPlain(expression);
    }

    private static boolean arePlain(List<? extends Expression> all) {
        return all.stream().allMatch(Prints::isPlain);
    }

    /** Says whether a value is made of words, numbers and properties alone. */
    private static boolean isPlain(Expression expression) {
        if (expression instanceof ConstantExpression || expression instanceof VariableExpression) {
            return true;
        }
        if (expression instanceof PropertyExpression property) {
            String name = property.getPropertyAsString();
            return name != null && !READS.contains(name) && isPlain(property.getObjectExpression());
        }
        if (expression instanceof GStringExpression string) {
            return arePlain(string.getValues());
        }
        if (expression instanceof TernaryExpression choice) {
            return arePlain(List.of(
                    choice.getBooleanExpression(), choice.getTrueExpression(), choice.getFalseExpression()));
        }
        if (expression instanceof BooleanExpression said) { // and those that are turned round
            return isPlain(said.getExpression());
        }
        if (expression instanceof UnaryMinusExpression signed) {
            return isPlain(signed.getExpression());
        }
        if (expression instanceof BinaryExpression both) {
            return COMPUTES.contains(both.getOperation().getText())
                    && arePlain(List.of(both.getLeftExpression(), both.getRightExpression()));
        }
        if (expression instanceof ListExpression list) {
            return arePlain(list.getExpressions());
        }
        if (expression instanceof MapExpression map) {
            return map.getMapEntryExpressions().stream()
                    .allMatch(one -> arePlain(List.of(one.getKeyExpression(), one.getValueExpression())));
        }
        return expression instanceof MethodCallExpression call && !call.isImplicitThis()
                && call.getMethodAsString() != null && SHAPES.contains(call.getMethodAsString())
                && isPlain(call.getObjectExpression()) && arePlain(Sayings.given(call));
    }
}
