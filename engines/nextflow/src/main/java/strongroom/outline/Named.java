package strongroom.outline;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import nextflow.script.ast.ProcessNode;
import org.codehaus.groovy.ast.ASTNode;
import org.codehaus.groovy.ast.ClassCodeExpressionTransformer;
import org.codehaus.groovy.ast.CodeVisitorSupport;
import org.codehaus.groovy.ast.ModuleNode;
import org.codehaus.groovy.ast.expr.BinaryExpression;
import org.codehaus.groovy.ast.expr.ClosureExpression;
import org.codehaus.groovy.ast.expr.ConstantExpression;
import org.codehaus.groovy.ast.expr.Expression;
import org.codehaus.groovy.ast.expr.GStringExpression;
import org.codehaus.groovy.ast.expr.PostfixExpression;
import org.codehaus.groovy.ast.expr.PrefixExpression;
import org.codehaus.groovy.ast.expr.PropertyExpression;
import org.codehaus.groovy.ast.expr.VariableExpression;
import org.codehaus.groovy.ast.stmt.BlockStatement;
import org.codehaus.groovy.ast.stmt.ExpressionStatement;
import org.codehaus.groovy.ast.stmt.Statement;
import org.codehaus.groovy.control.SourceUnit;

/** Puts into directives what names beside them are that a script sets once, to a text, a number or a parameter. */
final class Named extends ClassCodeExpressionTransformer {
    private static final Set<String> FOLDERS = Set.of("projectDir", "baseDir", "launchDir");
    private final Map<String, Integer> set = new HashMap<>();
    private final Map<String, Expression> known = new HashMap<>();
    private Set<String> taken = Set.of();

    Named(ModuleNode module, BlockStatement beside) {
        module.getStatementBlock().visit(new Sets());
        module.getMethods().forEach(one -> one.getCode().visit(new Sets()));
        for (Statement one : beside.getStatements()) {
            if (one instanceof ExpressionStatement said && said.getExpression() instanceof BinaryExpression given
                    && given.getOperation().getText().equals("=")
                    && given.getLeftExpression() instanceof VariableExpression name
                    && set.getOrDefault(name.getName(), 0) == 1 && isPlain(given.getRightExpression())) {
                known.put(name.getName(), transform(given.getRightExpression()));
            }
        }
    }

    void put(ProcessNode process) {
        var words = new Words();
        process.inputs.visit(words);
        taken = Set.copyOf(words.names());
        process.directives.visit(this);
    }

    @Override
    protected SourceUnit getSourceUnit() {
        return null;
    }

    @Override
    public Expression transform(Expression expression) {
        if (expression instanceof ClosureExpression closure) {
            closure.getCode().visit(this);
            return closure;
        }
        if (expression instanceof VariableExpression name && known.containsKey(name.getName())
                && !taken.contains(name.getName())) {
            return at(known.get(name.getName()), name);
        }
        return expression == null ? null : expression.transformExpression(this);
    }

    /** Returns a value as it stands at the place of a name. */
    private static Expression at(Expression value, ASTNode place) {
        Expression copy = value instanceof GStringExpression text
                ? new GStringExpression(text.getText(), text.getStrings(), text.getValues())
                : value instanceof PropertyExpression property
                        ? new PropertyExpression(property.getObjectExpression(), property.getProperty())
                        : new ConstantExpression(((ConstantExpression) value).getValue());
        copy.setSourcePosition(place);
        return copy;
    }

    private boolean isPlain(Expression value) {
        if (value instanceof GStringExpression string) {
            return string.getValues().stream().allMatch(one -> isParameter(one)
                    || one instanceof VariableExpression name
                            && (known.containsKey(name.getName()) || FOLDERS.contains(name.getName())));
        }
        return value instanceof ConstantExpression || isParameter(value);
    }

    private static boolean isParameter(Expression value) {
        return value instanceof PropertyExpression property && Words.parameter(property) != null;
    }

    /** Counts how often code sets each name. */
    private final class Sets extends CodeVisitorSupport {
        private void count(Expression target) {
            target.visit(new CodeVisitorSupport() {
                @Override
                public void visitVariableExpression(VariableExpression variable) {
                    set.merge(variable.getName(), 1, Integer::sum);
                }

                @Override
                public void visitPropertyExpression(PropertyExpression property) {
                    set.merge(String.valueOf(property.getPropertyAsString()), 1, Integer::sum); // this.name = …
                    super.visitPropertyExpression(property);
                }
            });
        }

        @Override
        public void visitBinaryExpression(BinaryExpression binary) {
            String how = binary.getOperation().getText();
            if (how.endsWith("=") && !List.of("==", "!=", "<=", ">=", "===", "!==").contains(how)) {
                count(binary.getLeftExpression());
            }
            super.visitBinaryExpression(binary);
        }

        @Override
        public void visitPostfixExpression(PostfixExpression counted) {
            count(counted.getExpression());
        }

        @Override
        public void visitPrefixExpression(PrefixExpression counted) {
            count(counted.getExpression());
        }
    }
}
