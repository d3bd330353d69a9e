package strongroom.outline;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.codehaus.groovy.ast.expr.BinaryExpression;
import org.codehaus.groovy.ast.expr.ClosureExpression;
import org.codehaus.groovy.ast.expr.ConstantExpression;
import org.codehaus.groovy.ast.expr.ElvisOperatorExpression;
import org.codehaus.groovy.ast.expr.Expression;
import org.codehaus.groovy.ast.expr.GStringExpression;
import org.codehaus.groovy.ast.expr.MapExpression;
import org.codehaus.groovy.ast.expr.MethodCallExpression;
import org.codehaus.groovy.ast.expr.TernaryExpression;
import org.codehaus.groovy.ast.expr.UnaryMinusExpression;
import org.codehaus.groovy.ast.expr.VariableExpression;
import org.codehaus.groovy.ast.stmt.BlockStatement;
import org.codehaus.groovy.ast.stmt.ExpressionStatement;
import org.codehaus.groovy.runtime.StringGroovyMethods;
import org.codehaus.groovy.runtime.typehandling.NumberMath;

/** Says what is known of an expression without running it: literals, and texts with holes. */
final class Texts {
    static final int MOST_TEXT = 300;
    private static final int MOST_LITERAL = 50_000;
    // Marks round a hole's number while indentation is stripped as Nextflow does it; no script may hold them itself.
    private static final char OPEN = '\uE000';
    private static final char CLOSE = '\uE001';
    private static final Pattern MARKED = Pattern.compile(OPEN + "(\\d+)" + CLOSE);
    private static final Pattern SHELL_HOLE = Pattern.compile("!\\{([^}]*)\\}");

    private static final Pattern PLAIN = Pattern.compile("[A-Za-z0-9_-]{1,100}");
    private static final int MOST_PARTS = 200;

    private Texts() {}

    static String cut(String text, int most) {
        return text == null ? "" : text.length() > most ? text.substring(0, most) : text;
    }

    static String of(Expression expression) {
        return cut(expression.getText(), MOST_TEXT);
    }

    /** Returns a value as JSON: its kind, what is known of it, and its text. */
    static Map<String, Object> value(Expression given) {
        var value = new LinkedHashMap<String, Object>();
        Expression expression = unwrapped(given);
        Object known = literal(expression);
        var parts = parts(expression);
        boolean isNumber = known instanceof Boolean || known instanceof Integer || known instanceof Long
                || known instanceof Double || known instanceof BigDecimal;
        value.put("kind", isNumber ? "number"
                : known instanceof String ? "text"
                : parts != null ? "template"
                : expression instanceof ClosureExpression ? "closure" : "code");
        value.put("value", known instanceof String text ? cut(text, 4000)
                : isNumber ? known
                : parts != null ? cut(shown(parts), 4000) : null);
        // Of a closure Groovy's own text has dots for its code.
        value.put("text", expression instanceof ClosureExpression closure
                ? cut(closure.getCode().getText(), MOST_TEXT) : of(expression));
        value.put("forms", known == null && !(expression instanceof MapExpression) ? Forms.of(expression) : null);
        value.put("line", Math.max(0, expression.getLineNumber()));
        return value;
    }

    /** Returns a value of which nothing is known: it is set, or not, where code decides. */
    static Map<String, Object> unknown(Expression expression) {
        var value = value(new VariableExpression("?"));
        value.put("text", of(expression));
        value.put("forms", null);
        value.put("line", Math.max(0, expression.getLineNumber()));
        return value;
    }

    /** Returns what a literal is, a number with its sign; null for all else. */
    private static Object literal(Expression expression) {
        if (expression instanceof UnaryMinusExpression signed) {
            return literal(signed.getExpression()) instanceof Number number ? NumberMath.unaryMinus(number) : null;
        }
        return expression instanceof ConstantExpression constant ? constant.getValue() : null;
    }

    /** Returns a map's values by their path below it, as a.b; null if a key is no plain word, or there are too many. */
    static Map<String, Object> parts(MapExpression map) {
        var found = new LinkedHashMap<String, Object>();
        return gather(map, "", found) ? found : null;
    }

    private static boolean gather(MapExpression map, String above, Map<String, Object> found) {
        var own = new HashSet<String>();
        for (var entry : map.getMapEntryExpressions()) {
            boolean isPlain = entry.getKeyExpression() instanceof ConstantExpression key
                    && key.getValue() instanceof String name && PLAIN.matcher(name).matches() && own.add(name);
            if (!isPlain || found.size() >= MOST_PARTS) {
                return false;
            }
            String path = above + ((ConstantExpression) entry.getKeyExpression()).getValue();
            boolean isMap = entry.getValueExpression() instanceof MapExpression inner
                    && !inner.getMapEntryExpressions().isEmpty();
            if (!isMap) {
                found.put(cut(path, 390), value(entry.getValueExpression()));
            } else if (path.length() > 300 || !gather((MapExpression) entry.getValueExpression(), path + ".", found)) {
                return false;
            }
        }
        return true;
    }

    /** Returns the text that a closure does nothing but hold; what is given, if it is anything else. */
    private static Expression unwrapped(Expression expression) {
        boolean holdsOne = expression instanceof ClosureExpression closure
                && closure.getCode() instanceof BlockStatement block
                && block.getStatements().size() == 1
                && block.getStatements().get(0) instanceof ExpressionStatement;
        if (!holdsOne) {
            return expression;
        }
        var block = (BlockStatement) ((ClosureExpression) expression).getCode();
        Expression held = ((ExpressionStatement) block.getStatements().get(0)).getExpression();
        return parts(held) == null ? expression : held;
    }

    /** Returns a script's text in parts, holes apart, stripped as Nextflow strips it; null if code makes it. */
    static List<Object> script(Expression expression, boolean isShell) {
        var parts = parts(expression);
        if (parts == null) {
            return null;
        }
        if (isShell && parts.size() == 1 && parts.get(0) instanceof String text) {
            parts = shellParts(text);
        }
        var holes = new ArrayList<Object>();
        var whole = new StringBuilder();
        for (Object part : parts) {
            if (part instanceof String text) {
                if (text.indexOf(OPEN) >= 0 || text.indexOf(CLOSE) >= 0 || text.length() > MOST_LITERAL) {
                    return null;
                }
                whole.append(text);
            } else {
                whole.append(OPEN).append(holes.size()).append(CLOSE);
                holes.add(part);
            }
        }
        return split(StringGroovyMethods.stripIndent((CharSequence) whole.toString()).trim(), holes);
    }

    /** Returns how many lines of a script's source come before its text. */
    static int linesBefore(Expression expression) {
        var parts = parts(expression);
        if (parts == null || parts.isEmpty() || !(parts.get(0) instanceof String first)) {
            return 0;
        }
        return (int) first.chars().takeWhile(Character::isWhitespace).filter(one -> one == '\n').count();
    }

    private static List<Object> split(String text, List<Object> holes) {
        var parts = new ArrayList<Object>();
        var found = MARKED.matcher(text);
        int from = 0;
        while (found.find()) {
            parts.add(text.substring(from, found.start()));
            parts.add(holes.get(Integer.parseInt(found.group(1))));
            from = found.end();
        }
        parts.add(text.substring(from));
        parts.removeIf(""::equals);
        return parts;
    }

    private static List<Object> shellParts(String text) {
        var parts = new ArrayList<Object>();
        var found = SHELL_HOLE.matcher(text);
        int from = 0;
        while (found.find()) {
            parts.add(text.substring(from, found.start()));
            parts.add(hole(found.group(1).strip(), List.of(), List.of()));
            from = found.end();
        }
        parts.add(text.substring(from));
        return parts;
    }

    /** Returns texts and holes in their order; null if it is not a text whose shape is known. */
    private static List<Object> parts(Expression expression) {
        if (expression instanceof ConstantExpression constant && constant.getValue() instanceof String text) {
            return new ArrayList<>(List.of(text));
        }
        if (expression instanceof GStringExpression string) {
            var parts = new ArrayList<Object>();
            var values = string.getValues();
            for (int n = 0; n < string.getStrings().size(); n++) {
                parts.add(String.valueOf(string.getStrings().get(n).getValue()));
                var inner = n < values.size() ? parts(values.get(n)) : null;
                if (inner != null) {
                    parts.addAll(inner);
                } else if (n < values.size()) {
                    parts.add(hole(values.get(n)));
                }
            }
            return parts;
        }
        if (expression instanceof BinaryExpression sum && sum.getOperation().getText().equals("+")) {
            var left = parts(sum.getLeftExpression());
            var right = parts(sum.getRightExpression());
            if (left != null && right != null) {
                left.addAll(right);
                return left;
            }
            return null;
        }
        boolean stripped = expression instanceof MethodCallExpression call
                && List.of("stripIndent", "trim", "strip").contains(call.getMethodAsString());
        return stripped ? parts(((MethodCallExpression) expression).getObjectExpression()) : null;
    }

    private static Map<String, Object> hole(Expression expression) {
        var words = new Words();
        expression.visit(words);
        return hole(of(expression), choices(expression), words.names(), words.params());
    }

    private static Map<String, Object> hole(String text, List<String> names, List<String> params) {
        var said = text.startsWith("params.") ? List.of(text.substring("params.".length())) : params;
        var named = text.matches("[A-Za-z_][A-Za-z0-9_]*(\\..*)?") && !text.startsWith("params.")
                ? List.of(text.split("\\.")[0]) : names;
        return hole(text, null, named, said);
    }

    private static Map<String, Object> hole(String text, List<String> choices, List<String> names, List<String> params) {
        var hole = new LinkedHashMap<String, Object>();
        hole.put("text", cut(text, MOST_TEXT));
        hole.put("names", names);
        hole.put("params", params);
        hole.put("choices", choices);
        return hole;
    }

    /** Returns the few texts that a choice between literals can be; null for all else. */
    static List<String> choices(Expression expression) {
        if (expression instanceof ElvisOperatorExpression || !(expression instanceof TernaryExpression choice)) {
            return null;
        }
        var both = List.of(choice.getTrueExpression(), choice.getFalseExpression());
        var texts = new ArrayList<String>();
        for (Expression one : both) {
            if (one instanceof ConstantExpression constant && constant.getValue() instanceof String text) {
                texts.add(cut(text, 390));
            } else {
                return null;
            }
        }
        return texts;
    }

    private static String shown(List<Object> parts) {
        var shown = new StringBuilder();
        for (Object part : parts) {
            shown.append(part instanceof Map<?, ?> hole ? "${" + hole.get("text") + "}" : part);
        }
        return shown.toString();
    }
}
