package strongroom.outline;

import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;
import org.codehaus.groovy.ast.ASTNode;
import org.codehaus.groovy.ast.ModuleNode;
import org.codehaus.groovy.ast.expr.BinaryExpression;
import org.codehaus.groovy.ast.expr.ClosureExpression;
import org.codehaus.groovy.ast.expr.DeclarationExpression;
import org.codehaus.groovy.ast.expr.Expression;
import org.codehaus.groovy.ast.expr.MethodCallExpression;
import org.codehaus.groovy.ast.expr.PropertyExpression;
import org.codehaus.groovy.ast.expr.VariableExpression;
import org.codehaus.groovy.ast.stmt.BlockStatement;
import org.codehaus.groovy.ast.stmt.EmptyStatement;
import org.codehaus.groovy.ast.stmt.ExpressionStatement;
import org.codehaus.groovy.ast.stmt.IfStatement;
import org.codehaus.groovy.ast.stmt.Statement;
import org.codehaus.groovy.ast.stmt.TryCatchStatement;

/** Reads a configuration with functions or choices, by Groovy's parser: each setting that it can make. */
final class LooseConfig {
    private static final List<String> SELECTORS = List.of("withName", "withLabel");
    private static final String PLUGINS = "plugins";
    private final ConfigReading reading;
    private final BiConsumer<ASTNode, String> refuse;

    LooseConfig(ConfigReading reading, BiConsumer<ASTNode, String> refuse) {
        this.reading = reading;
        this.refuse = refuse;
    }

    void read(ModuleNode module) {
        module.getMethods().forEach(one -> {
            CodeReading.givenBefore(one.getParameters()).forEach(given -> given.visit(reading.code()));
            one.getCode().visit(reading.code());
        });
        all(module.getStatementBlock(), "");
    }

    private void all(Statement block, String above) {
        for (Statement one : Sayings.statements(block)) {
            if (one instanceof IfStatement choice) {
                choice.getBooleanExpression().visit(reading.code());
                reading.code().choose(() -> {
                    all(choice.getIfBlock(), above);
                    all(choice.getElseBlock(), above);
                });
            } else if (one instanceof TryCatchStatement tried) {
                reading.code().choose(() -> {
                    all(tried.getTryStatement(), above);
                    tried.getCatchStatements().forEach(caught -> caught.getCode().visit(reading.code()));
                    all(tried.getFinallyStatement(), above);
                });
            } else if (one instanceof BlockStatement inner) {
                all(inner, above);
            } else if (one instanceof ExpressionStatement said) {
                setting(said, above);
            } else if (!(one instanceof EmptyStatement)) {
                refuse.accept(one, "A configuration has settings, and no loops.");
            }
        }
    }

    private void setting(ExpressionStatement statement, String above) {
        Expression said = statement.getExpression();
        var labels = statement.getStatementLabels();
        if (said instanceof DeclarationExpression) {
            said.visit(reading.code());
        } else if (said instanceof BinaryExpression set && set.getOperation().getText().equals("=")) {
            var names = path(set.getLeftExpression());
            if (names == null) {
                refuse.accept(set, "The name of a setting is words with dots.");
            } else {
                reading.assign(names, set, set.getRightExpression());
            }
        } else if (said instanceof MethodCallExpression call
                && call.isImplicitThis() && call.getMethodAsString() != null) {
            call(call, labels == null || labels.isEmpty() ? null : labels.get(0), above);
        } else if (said instanceof MethodCallExpression) {
            said.visit(reading.code());
        } else {
            refuse.accept(said, "This is no setting.");
        }
    }

    private void call(MethodCallExpression call, String label, String above) {
        String name = call.getMethodAsString();
        if (label != null && !SELECTORS.contains(label)) {
            refuse.accept(call, "Selectors are withName and withLabel.");
        } else if (Loose.only(call) instanceof ClosureExpression block) {
            CodeReading.givenBefore(block.getParameters())
                    .forEach(one -> refuse.accept(one, "A block takes nothing."));
            reading.block(label, name, () -> all(block.getCode(), name));
        } else if (name.equals("includeConfig") && Loose.only(call) != null) {
            reading.include(call, Loose.only(call));
        } else if (above.equals(PLUGINS)) {
            reading.apply(PLUGINS, call);
        } else {
            call.visit(reading.code()); // a function of its own, or what prints
        }
    }

    /** Returns the words of a setting's name; null if code makes one of them. */
    private static List<String> path(Expression expression) {
        var names = new ArrayList<String>();
        Expression one = expression;
        while (one instanceof PropertyExpression part && part.getPropertyAsString() != null) {
            names.add(0, part.getPropertyAsString());
            one = part.getObjectExpression();
        }
        if (!(one instanceof VariableExpression root) || root.isThisExpression() || root.isSuperExpression()) {
            return null;
        }
        names.add(0, root.getName());
        return names;
    }
}
