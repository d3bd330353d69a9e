package strongroom.outline;

import java.util.List;
import org.codehaus.groovy.ast.ClassCodeExpressionTransformer;
import org.codehaus.groovy.ast.ModuleNode;
import org.codehaus.groovy.ast.expr.ClosureExpression;
import org.codehaus.groovy.ast.expr.Expression;
import org.codehaus.groovy.ast.expr.GStringExpression;
import org.codehaus.groovy.control.SourceUnit;

/** Gives texts with holes their words in the file, as the strict parser does: Groovy's leaves out `!`. */
final class Verbatim extends ClassCodeExpressionTransformer {
    private static final List<String> QUOTES = List.of("\"\"\"", "\"", "$/", "/");
    private final List<String> lines;

    private Verbatim(String text) {
        lines = List.of(text.split("\n", -1)); // as Groovy counts them
    }

    static void give(ModuleNode module, String text) {
        if (text.contains("\\u")) {
            return; // Groovy counts letters after it has read these, so no place in the file is certain
        }
        var verbatim = new Verbatim(text);
        verbatim.visitBlockStatement(module.getStatementBlock());
        module.getMethods().forEach(verbatim::visitMethod);
    }

    @Override
    protected SourceUnit getSourceUnit() {
        return null;
    }

    @Override
    public Expression transform(Expression expression) {
        if (expression instanceof ClosureExpression closure) {
            if (closure.isParameterSpecified()) {
                for (var one : closure.getParameters()) {
                    one.setInitialExpression(transform(one.getInitialExpression()));
                }
            }
            closure.getCode().visit(this);
            return closure;
        }
        if (expression == null) {
            return null;
        }
        var changed = expression.transformExpression(this);
        if (changed instanceof GStringExpression string) {
            var said = new GStringExpression(said(string), string.getStrings(), string.getValues());
            said.setSourcePosition(string);
            return said;
        }
        return changed;
    }

    private String said(GStringExpression string) {
        int first = string.getLineNumber() - 1;
        int last = string.getLastLineNumber() - 1;
        if (first < 0 || last < first || last >= lines.size()) {
            return string.getText();
        }
        var said = new StringBuilder();
        for (int n = first; n <= last; n++) {
            String line = lines.get(n);
            int from = n == first ? string.getColumnNumber() - 1 : 0;
            int to = n == last ? string.getLastColumnNumber() - 1 : line.length();
            boolean isPlain = line.codePoints().allMatch(one -> one < Character.MIN_SUPPLEMENTARY_CODE_POINT);
            if (!isPlain || from < 0 || to < from || to > line.length()) {
                return string.getText();
            }
            said.append(n == first ? "" : "\n").append(line, from, to);
        }
        String whole = said.toString();
        String quote = QUOTES.stream().filter(whole::startsWith).findFirst().orElse("");
        int least = quote.length();
        return whole.length() < 2 * least ? whole : whole.substring(least, whole.length() - least);
    }
}
