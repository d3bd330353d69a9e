package strongroom.outline;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.codehaus.groovy.ast.ASTNode;
import org.codehaus.groovy.ast.CodeVisitorSupport;
import org.codehaus.groovy.ast.expr.BinaryExpression;
import org.codehaus.groovy.ast.expr.ClosureExpression;
import org.codehaus.groovy.ast.expr.ConstantExpression;
import org.codehaus.groovy.ast.expr.Expression;
import org.codehaus.groovy.ast.expr.ListExpression;
import org.codehaus.groovy.ast.expr.MapEntryExpression;
import org.codehaus.groovy.ast.expr.MethodCallExpression;
import org.codehaus.groovy.ast.expr.PropertyExpression;
import org.codehaus.groovy.ast.expr.TupleExpression;
import org.codehaus.groovy.ast.expr.VariableExpression;
import org.codehaus.groovy.ast.stmt.BlockStatement;
import org.codehaus.groovy.ast.stmt.ExpressionStatement;

/** Says which slots, parameters and names an expression stands on, through pipes and what operators give to closures. */
final class Slots {
    private static final int MOST = 20;
    private static final String OF = "inputs.";
    private static final String PARAM = "params.";
    private static final String NOTHING = "name.[]"; // an empty list: no file, where a path is asked for
    private static final String TEXT = "text."; // a literal that becomes a value
    private static final int LONGEST = 390;
    private static final List<String> VALUES = List.of("of", "value", "from", "fromList", "just");
    private static final String NAME = "name."; // set nowhere here: what a workflow takes, or a function
    private final Map<String, Set<String>> bound = new HashMap<>();
    private final Deque<Map<String, Set<String>>> scopes = new ArrayDeque<>();
    private final Map<ASTNode, Set<String>> given = new IdentityHashMap<>();

    Slots() {}

    /** Begins with the names that are set above. */
    Slots(Slots above) {
        above.bound.forEach((name, slots) -> bound.put(name, new LinkedHashSet<>(slots)));
    }

    /** Notes that a name is set to a value. */
    void bind(Expression target, Expression value) {
        if (target instanceof VariableExpression name) {
            add(name.getName(), of(value));
            add(name.getName(), literals(value));
        } else if (target instanceof TupleExpression names) {
            names.getExpressions().forEach(one -> bind(one, value));
        }
    }

    /** Notes that the left side of a pipe is what the right side works on. */
    void pipe(BinaryExpression pipe) {
        give(pipe.getRightExpression(), of(pipe.getLeftExpression()));
    }

    /** Notes what a call hands to closures among its arguments; `set` binds the name in its closure. */
    void call(MethodCallExpression call) {
        var on = worksOn(call);
        if (call.getArguments() instanceof TupleExpression arguments) {
            for (Expression one : arguments.getExpressions()) {
                if (one instanceof ClosureExpression closure) {
                    give(closure, on);
                    if ("set".equals(call.getMethodAsString()) && only(closure) instanceof VariableExpression name) {
                        add(name.getName(), on);
                    }
                }
            }
        }
    }

    /** Begins a closure: its parameters are what it was given. */
    void enter(ClosureExpression closure) {
        var scope = new HashMap<String, Set<String>>();
        var on = given.getOrDefault(closure, Set.of());
        var parameters = closure.getParameters();
        if (parameters == null || parameters.length == 0) {
            scope.put("it", on);
        } else {
            Arrays.stream(parameters).forEach(one -> scope.put(one.getName(), on));
        }
        scopes.push(scope);
    }

    void leave() {
        scopes.pop();
    }

    /** Returns the slots that a call, or a place that reads, stands on. */
    List<String> said(Expression expression) {
        return of(expression).stream().filter(one -> !one.contains(".")).limit(MOST).map(one -> Texts.cut(one, 40)).toList();
    }

    /** Returns what else a call, or a place that reads, stands on: parameters as params.a.b, and names that are set elsewhere. */
    List<String> others(Expression expression) {
        return of(expression).stream().filter(one -> one.contains(".") && !one.startsWith(TEXT)).limit(MOST)
                .map(one -> Texts.cut(one.startsWith(NAME) ? one.substring(NAME.length()) : one, 390)).toList();
    }

    /** Returns the places of the arguments of a call that stand on an empty list. */
    List<Integer> empties(Expression expression) {
        var given = expression instanceof MethodCallExpression call && call.getArguments() instanceof TupleExpression all
                ? all.getExpressions() : List.<Expression>of();
        return IntStream.range(0, given.size()).filter(n -> of(given.get(n)).contains(NOTHING)).limit(MOST).boxed().toList();
    }

    /** Returns of each argument of a call the literals that are its value, and parameters as ${params.a.b}. */
    List<List<String>> values(Expression expression) {
        var given = expression instanceof MethodCallExpression call ? Sayings.given(call) : List.<Expression>of();
        return given.stream().limit(MOST).map(one -> {
            var all = of(one);
            all.addAll(literals(one));
            return all.stream().filter(it -> it.startsWith(TEXT) || it.startsWith(PARAM)).limit(MOST)
                    .map(it -> it.startsWith(PARAM) ? "${" + Texts.cut(it, LONGEST) + "}" : it.substring(TEXT.length())).toList();
        }).toList();
    }

    /** Returns what is a value by its letters: a text, or those of a list. */
    private static Set<String> literals(Expression expression) {
        var found = new LinkedHashSet<String>();
        var all = expression instanceof ListExpression list ? list.getExpressions() : List.of(expression);
        for (Expression one : all) {
            // What is a hole's own mark, or too long for one, is no text that is told.
            if (one instanceof ConstantExpression constant && constant.getValue() instanceof String text
                    && text.length() <= LONGEST && !text.contains("${")) {
                found.add(TEXT + text);
            }
        }
        return found;
    }

    /** Returns the texts that a call names as what separates columns. */
    static List<String> separators(MethodCallExpression call) {
        var found = new LinkedHashSet<String>();
        boolean splits = List.of("split", "tokenize").contains(String.valueOf(call.getMethodAsString()));
        if (splits && call.getArguments() instanceof TupleExpression given && !given.getExpressions().isEmpty()) {
            text(given.getExpression(0), found);
        } else if (call.getArguments() instanceof TupleExpression) {
            call.getArguments().visit(new CodeVisitorSupport() {
                @Override
                public void visitMapEntryExpression(MapEntryExpression entry) {
                    if (entry.getKeyExpression() instanceof ConstantExpression key && "sep".equals(key.getValue())) {
                        text(entry.getValueExpression(), found);
                    }
                }

                @Override
                public void visitClosureExpression(ClosureExpression closure) {
                    // What it calls has separators of its own.
                }
            });
        }
        return found.stream().limit(MOST).toList();
    }

    private static void text(Expression expression, Set<String> found) {
        if (expression instanceof ConstantExpression constant && constant.getValue() instanceof String text) {
            found.add(Texts.cut(text, 40));
        }
    }

    private Set<String> worksOn(MethodCallExpression call) {
        var on = new LinkedHashSet<>(given.getOrDefault(call, Set.of()));
        if (!call.isImplicitThis()) {
            on.addAll(of(call.getObjectExpression()));
        }
        return on;
    }

    private Set<String> of(Expression expression) {
        var found = new LinkedHashSet<String>();
        expression.visit(new CodeVisitorSupport() {
            @Override
            public void visitPropertyExpression(PropertyExpression property) {
                String path = Words.parameter(property);
                if (path == null) {
                    property.getObjectExpression().visit(this);
                } else {
                    found.add(path.startsWith(OF) ? path.substring(OF.length()).split("\\.")[0] : PARAM + path);
                }
            }

            @Override
            public void visitVariableExpression(VariableExpression variable) {
                found.addAll(named(variable.getName()));
            }

            @Override
            public void visitListExpression(ListExpression list) {
                if (list.getExpressions().isEmpty()) {
                    found.add(NOTHING);
                }
                super.visitListExpression(list);
            }

            @Override
            public void visitMethodCallExpression(MethodCallExpression call) {
                found.addAll(given.getOrDefault(call, Set.of()));
                if (VALUES.contains(String.valueOf(call.getMethodAsString()))
                        && call.getObjectExpression().getText().equalsIgnoreCase("channel")) {
                    Sayings.given(call).forEach(one -> found.addAll(literals(one)));
                }
                super.visitMethodCallExpression(call);
            }
        });
        return found;
    }

    private Set<String> named(String name) {
        for (var scope : scopes) {
            if (scope.containsKey(name)) {
                return scope.get(name);
            }
        }
        return bound.getOrDefault(name, Set.of(NAME + name));
    }

    private void add(String name, Set<String> slots) {
        bound.computeIfAbsent(name, key -> new LinkedHashSet<>()).addAll(slots);
    }

    private void give(ASTNode node, Set<String> slots) {
        given.computeIfAbsent(node, key -> new LinkedHashSet<>()).addAll(slots);
    }

    private static Expression only(ClosureExpression closure) {
        boolean isOne = closure.getCode() instanceof BlockStatement block && block.getStatements().size() == 1;
        return isOne && ((BlockStatement) closure.getCode()).getStatements().get(0) instanceof ExpressionStatement said
                ? said.getExpression() : null;
    }
}
