package strongroom.outline;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.codehaus.groovy.ast.CodeVisitorSupport;
import org.codehaus.groovy.ast.expr.BinaryExpression;
import org.codehaus.groovy.ast.expr.ClosureExpression;
import org.codehaus.groovy.ast.expr.ConstantExpression;
import org.codehaus.groovy.ast.expr.Expression;
import org.codehaus.groovy.ast.expr.MethodCallExpression;
import org.codehaus.groovy.ast.expr.PropertyExpression;
import org.codehaus.groovy.ast.expr.TupleExpression;
import org.codehaus.groovy.ast.expr.VariableExpression;
import org.codehaus.groovy.ast.stmt.ExpressionStatement;
import org.codehaus.groovy.ast.stmt.Statement;

/** Says what the channels of a workflow stand on: names of other channels, and outputs as NAME.out, NAME.out.emit or NAME.out.0. */
final class Channels {
    static final int MOST = 200;

    private Channels() {}

    /** Returns the channels of an emit: or publish: section: those with a name, and those that are alone. */
    static List<Object> section(Statement section) {
        var all = new ArrayList<Object>();
        for (Statement one : Sayings.statements(section)) {
            if (one instanceof ExpressionStatement said && all.size() < MOST) {
                all.add(of(said.getExpression()));
            }
        }
        return all;
    }

    /** Returns the channels that a body gives names to, by `=` or by set. */
    static List<Object> named(Statement body) {
        var all = new ArrayList<Object>();
        if (body != null) {
            body.visit(new CodeVisitorSupport() {
                @Override
                public void visitBinaryExpression(BinaryExpression set) {
                    if (isSet(set) && all.size() < MOST) {
                        all.add(of(set));
                    }
                    super.visitBinaryExpression(set);
                }

                @Override
                public void visitMethodCallExpression(MethodCallExpression call) {
                    String name = "set".equals(call.getMethodAsString()) ? named(call.getArguments()) : null;
                    if (name != null && all.size() < MOST) {
                        all.add(one(name, call, call.getObjectExpression()));
                    }
                    super.visitMethodCallExpression(call);
                }
            });
        }
        return all;
    }

    private static Map<String, Object> of(Expression said) {
        return said instanceof BinaryExpression set && isSet(set)
                ? one(name(set.getLeftExpression()), said, set.getRightExpression())
                : one(name(said), said, said);
    }

    private static Map<String, Object> one(String name, Expression said, Expression source) {
        var sources = new Sources();
        source.visit(sources);
        var one = new LinkedHashMap<String, Object>();
        one.put("name", Texts.cut(name, 390));
        one.put("line", Math.max(0, said.getLineNumber()));
        one.put("sources", List.copyOf(sources.found));
        return one;
    }

    private static boolean isSet(BinaryExpression binary) {
        return binary.getOperation().getText().equals("=") && binary.getLeftExpression() instanceof VariableExpression;
    }

    private static String name(Expression expression) {
        return expression instanceof VariableExpression variable ? variable.getName() : expression.getText();
    }

    /** Returns the name in `set { name }`. */
    private static String named(Expression arguments) {
        boolean isName = arguments instanceof TupleExpression given && given.getExpressions().size() == 1
                && given.getExpression(0) instanceof ClosureExpression closure
                && Sayings.statements(closure.getCode()).size() == 1
                && Sayings.statements(closure.getCode()).get(0) instanceof ExpressionStatement said
                && said.getExpression() instanceof VariableExpression;
        if (!isName) {
            return null;
        }
        var closure = (ClosureExpression) ((TupleExpression) arguments).getExpression(0);
        return name(((ExpressionStatement) Sayings.statements(closure.getCode()).get(0)).getExpression());
    }

    /** Collects sources; what closures do to a channel's values is left out. */
    private static final class Sources extends CodeVisitorSupport {
        private final Set<String> found = new LinkedHashSet<>();

        private void add(String source) {
            if (found.size() < MOST) {
                found.add(Texts.cut(source, 390));
            }
        }

        @Override
        public void visitClosureExpression(ClosureExpression closure) {}

        @Override
        public void visitPropertyExpression(PropertyExpression property) {
            String all = outputs(property);
            String one = outputs(property.getObjectExpression());
            if (all != null || one != null) {
                add(all != null ? all : one + "." + property.getPropertyAsString());
            } else {
                property.getObjectExpression().visit(this);
            }
        }

        @Override
        public void visitBinaryExpression(BinaryExpression binary) {
            String all = outputs(binary.getLeftExpression());
            if (all != null && binary.getOperation().getText().equals("[")) {
                add(binary.getRightExpression() instanceof ConstantExpression index ? all + "." + index.getValue() : all);
            } else {
                super.visitBinaryExpression(binary);
            }
        }

        @Override
        public void visitVariableExpression(VariableExpression variable) {
            if (!variable.isThisExpression()) {
                add(variable.getName());
            }
        }

        @Override
        public void visitMethodCallExpression(MethodCallExpression call) {
            if (call.isImplicitThis()) {
                add(call.getMethodAsString() + ".out"); // what a call gives back is all outputs
            } else {
                call.getObjectExpression().visit(this);
                call.getArguments().visit(this); // mix, join: channels beside it
            }
        }

        /** Returns NAME.out, if that is what is said. */
        private static String outputs(Expression expression) {
            return expression instanceof PropertyExpression property && "out".equals(property.getPropertyAsString())
                    && property.getObjectExpression() instanceof VariableExpression variable
                    ? variable.getName() + ".out" : null;
        }
    }
}
