package strongroom.outline;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.codehaus.groovy.ast.ASTNode;
import org.codehaus.groovy.ast.CodeVisitorSupport;
import org.codehaus.groovy.ast.expr.BinaryExpression;
import org.codehaus.groovy.ast.expr.EmptyExpression;
import org.codehaus.groovy.ast.expr.Expression;
import org.codehaus.groovy.ast.expr.MethodCallExpression;
import org.codehaus.groovy.ast.expr.PostfixExpression;
import org.codehaus.groovy.ast.expr.PrefixExpression;
import org.codehaus.groovy.ast.expr.VariableExpression;
import org.codehaus.groovy.ast.stmt.BlockStatement;
import org.codehaus.groovy.ast.stmt.ExpressionStatement;
import org.codehaus.groovy.ast.stmt.IfStatement;
import org.codehaus.groovy.ast.stmt.Statement;
import org.codehaus.groovy.ast.stmt.ThrowStatement;

/** Follows code in its order, and says which texts the names can be that it sets, adds to and chooses. */
final class Turns {
    private static final Set<String> ENDS = Set.of("error", "exit");
    private static final Set<String> SAME = Set.of("==", "!=", "<=", ">=", "===", "!==", "==~", "=~");
    // What changes a list or a text builder in its place.
    private static final Set<String> CHANGES = Set.of(
            "add", "addAll", "leftShift", "push", "append", "insert", "remove", "put");

    private Turns() {}

    /** Returns the texts of each name at the end of the code, as Forms has them; null of a name that is not known. */
    static Map<String, List<String>> after(Statement code) {
        var known = new HashMap<String, List<String>>();
        follow(code, known);
        return known;
    }

    /** Returns whether the code comes to its end. */
    private static boolean follow(Statement code, Map<String, List<String>> known) {
        if (code instanceof BlockStatement block) {
            for (Statement one : block.getStatements()) {
                if (!follow(one, known)) {
                    return false;
                }
            }
        } else if (code instanceof IfStatement choice) {
            forget(choice.getBooleanExpression(), known);
            var first = new HashMap<>(known);
            var second = new HashMap<>(known);
            boolean isFirst = follow(choice.getIfBlock(), first);
            boolean isSecond = follow(choice.getElseBlock(), second);
            known.clear();
            known.putAll(isFirst && isSecond ? both(first, second) : isFirst ? first : second);
            return isFirst || isSecond;
        } else if (code instanceof ExpressionStatement said) {
            if (said.getExpression() instanceof MethodCallExpression call && call.isImplicitThis()
                    && ENDS.contains(String.valueOf(call.getMethodAsString()))) {
                return false;
            }
            set(said.getExpression(), known);
        } else if (code instanceof ThrowStatement) {
            return false;
        } else if (code != null) {
            forget(code, known);
        }
        return true;
    }

    private static void set(Expression said, Map<String, List<String>> known) {
        boolean isSet = said instanceof BinaryExpression set && set.getLeftExpression() instanceof VariableExpression
                && List.of("=", "+=").contains(set.getOperation().getText());
        if (!isSet) {
            forget(said, known);
            return;
        }
        var set = (BinaryExpression) said;
        String name = ((VariableExpression) set.getLeftExpression()).getName();
        forget(set.getRightExpression(), known);
        var texts = set.getRightExpression() instanceof EmptyExpression ? List.<String>of()
                : Forms.of(set.getRightExpression(), known);
        if (set.getOperation().getText().equals("+=")) {
            var before = known.get(name);
            texts = before == null || before.isEmpty() || texts == null || !Forms.isText(set.getRightExpression())
                    ? null : Forms.joined(before, texts);
        }
        known.put(name, Forms.few(texts));
    }

    private static Map<String, List<String>> both(Map<String, List<String>> first, Map<String, List<String>> second) {
        var names = new LinkedHashSet<>(first.keySet());
        names.addAll(second.keySet());
        var all = new HashMap<String, List<String>>();
        for (String name : names) {
            var one = first.getOrDefault(name, List.of());
            var other = second.getOrDefault(name, List.of());
            if (one == null || other == null) {
                all.put(name, null);
            } else {
                var texts = new LinkedHashSet<>(one);
                texts.addAll(other);
                all.put(name, Forms.few(new ArrayList<>(texts)));
            }
        }
        return all;
    }

    /** Forgets each name that code sets in another way than by its turn: in loops, closures and inside of values. */
    private static void forget(ASTNode code, Map<String, List<String>> known) {
        code.visit(new CodeVisitorSupport() {
            private void unknown(Expression target) {
                target.visit(new CodeVisitorSupport() {
                    @Override
                    public void visitVariableExpression(VariableExpression variable) {
                        known.put(variable.getName(), null);
                    }
                });
            }

            @Override
            public void visitBinaryExpression(BinaryExpression binary) {
                String how = binary.getOperation().getText();
                if (how.equals("<<") || how.endsWith("=") && !SAME.contains(how)) {
                    unknown(binary.getLeftExpression());
                }
                super.visitBinaryExpression(binary);
            }

            @Override
            public void visitMethodCallExpression(MethodCallExpression call) {
                if (!call.isImplicitThis() && CHANGES.contains(String.valueOf(call.getMethodAsString()))) {
                    unknown(call.getObjectExpression());
                }
                super.visitMethodCallExpression(call);
            }

            @Override
            public void visitPostfixExpression(PostfixExpression counted) {
                unknown(counted.getExpression());
                super.visitPostfixExpression(counted);
            }

            @Override
            public void visitPrefixExpression(PrefixExpression counted) {
                unknown(counted.getExpression());
                super.visitPrefixExpression(counted);
            }
        });
    }
}
