package strongroom.outline;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.codehaus.groovy.ast.expr.BinaryExpression;
import org.codehaus.groovy.ast.expr.ClosureExpression;
import org.codehaus.groovy.ast.expr.ConstantExpression;
import org.codehaus.groovy.ast.expr.ElvisOperatorExpression;
import org.codehaus.groovy.ast.expr.Expression;
import org.codehaus.groovy.ast.expr.GStringExpression;
import org.codehaus.groovy.ast.expr.ListExpression;
import org.codehaus.groovy.ast.expr.MethodCallExpression;
import org.codehaus.groovy.ast.expr.PropertyExpression;
import org.codehaus.groovy.ast.expr.TernaryExpression;
import org.codehaus.groovy.ast.expr.TupleExpression;
import org.codehaus.groovy.ast.expr.VariableExpression;
import org.codehaus.groovy.ast.stmt.BlockStatement;
import org.codehaus.groovy.ast.stmt.ExpressionStatement;
import org.codehaus.groovy.ast.stmt.ReturnStatement;
import org.codehaus.groovy.ast.stmt.Statement;

/** Says which texts an expression can be: literals and plain ${names}, by choices, sums and lists that are joined. */
final class Forms {
    private static final int MOST = 20;
    private static final int LONGEST = 390;
    private static final String NAME = "[A-Za-z_][A-Za-z0-9_]*(\\.[A-Za-z_][A-Za-z0-9_]*)*";

    private final Map<String, List<String>> known;

    private Forms(Map<String, List<String>> known) {
        this.known = known;
    }

    /** Returns each text that it can be; null if there is another, or too many. */
    static List<String> of(Expression expression) {
        return of(expression, Map.of());
    }

    /** Returns each text that it can be where the names `known` are such texts; of a null one nothing is known. */
    static List<String> of(Expression expression, Map<String, List<String>> known) {
        return few(new Forms(known).texts(expression));
    }

    /** Returns the texts, or null if they are more, or longer, than an outline holds. */
    static List<String> few(List<String> texts) {
        boolean areMany = texts != null && (texts.size() > MOST || texts.stream().anyMatch(one -> one.length() > LONGEST));
        return areMany ? null : texts;
    }

    private List<String> texts(Expression expression) {
        if (expression instanceof ConstantExpression constant) {
            boolean isText = constant.getValue() instanceof String text && !text.contains("${") && text.length() <= LONGEST;
            return isText || constant.getValue() instanceof Number ? List.of(String.valueOf(constant.getValue())) : null;
        }
        if (expression instanceof ClosureExpression closure) {
            return closure.getCode() instanceof BlockStatement block && block.getStatements().size() == 1
                    ? held(block.getStatements().get(0)) : null;
        }
        if (expression instanceof VariableExpression name && known.containsKey(name.getName())) {
            var texts = known.get(name.getName());
            return texts == null || texts.isEmpty() ? null : texts;
        }
        if (expression instanceof PropertyExpression || expression instanceof VariableExpression) {
            String path = expression.getText();
            if (known.containsKey(path.split("\\.")[0])) {
                return null; // a property of what is no plain text
            }
            return path.matches(NAME) ? List.of("${" + path + "}") : null;
        }
        if (expression instanceof GStringExpression string) {
            var pieces = new ArrayList<Expression>();
            for (int n = 0; n < string.getStrings().size(); n++) {
                pieces.add(string.getStrings().get(n));
                if (n < string.getValues().size()) {
                    pieces.add(string.getValues().get(n));
                }
            }
            return joined(pieces, "");
        }
        if (expression instanceof TernaryExpression choice) {
            boolean isElvis = choice instanceof ElvisOperatorExpression;
            var first = texts(isElvis ? choice.getBooleanExpression().getExpression() : choice.getTrueExpression());
            var second = texts(choice.getFalseExpression());
            if (first == null || second == null) {
                return null;
            }
            var both = new LinkedHashSet<>(first);
            both.addAll(second);
            return List.copyOf(both);
        }
        if (expression instanceof BinaryExpression sum && sum.getOperation().getText().equals("+")) {
            return !isText(sum) ? null : joined(List.of(sum.getLeftExpression(), sum.getRightExpression()), "");
        }
        return expression instanceof MethodCallExpression call ? made(call) : null;
    }

    /** Says whether an expression is a text for certain: of what is no text `+` makes a sum, or a list. */
    static boolean isText(Expression expression) {
        if (expression instanceof TernaryExpression choice) {
            return isText(choice.getTrueExpression()) && isText(choice.getFalseExpression());
        }
        if (expression instanceof BinaryExpression sum && sum.getOperation().getText().equals("+")) {
            return isText(sum.getLeftExpression()) || isText(sum.getRightExpression());
        }
        return expression instanceof GStringExpression
                || expression instanceof ConstantExpression constant && constant.getValue() instanceof String;
    }

    private List<String> held(Statement statement) {
        return statement instanceof ExpressionStatement said ? texts(said.getExpression())
                : statement instanceof ReturnStatement said ? texts(said.getExpression()) : null;
    }

    private List<String> made(MethodCallExpression call) {
        var arguments = call.getArguments() instanceof TupleExpression given ? given.getExpressions() : List.<Expression>of();
        String method = String.valueOf(call.getMethodAsString());
        if (method.equals("join") && arguments.size() == 1 && arguments.get(0) instanceof ConstantExpression between
                && between.getValue() instanceof String separator) {
            return call.getObjectExpression() instanceof ListExpression list ? joined(list.getExpressions(), separator) : null;
        }
        UnaryOperator<String> change = switch (method) {
            case "trim", "strip" -> String::strip;
            case "toString" -> one -> one;
            default -> null;
        };
        var found = change == null || !arguments.isEmpty() ? null : texts(call.getObjectExpression());
        return found == null ? null : found.stream().map(change).distinct().toList();
    }

    private List<String> joined(List<Expression> pieces, String separator) {
        List<String> whole = null;
        for (Expression piece : pieces) {
            var more = texts(piece);
            if (more == null) {
                return null;
            }
            whole = whole == null ? more : joined(whole, more, separator);
            if (whole == null || whole.size() > MOST) {
                return null;
            }
        }
        return whole == null ? List.of("") : whole;
    }

    /** Returns each text of the first with each of the second after it; null if these are too many. */
    static List<String> joined(List<String> first, List<String> second) {
        return joined(first, second, "");
    }

    private static List<String> joined(List<String> first, List<String> second, String separator) {
        var longer = new LinkedHashSet<String>();
        first.forEach(before -> second.forEach(after -> longer.add(before + separator + after)));
        return longer.size() > MOST ? null : List.copyOf(longer);
    }
}
