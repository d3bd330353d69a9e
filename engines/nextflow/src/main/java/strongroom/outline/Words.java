package strongroom.outline;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.codehaus.groovy.ast.CodeVisitorSupport;
import org.codehaus.groovy.ast.expr.Expression;
import org.codehaus.groovy.ast.expr.PropertyExpression;
import org.codehaus.groovy.ast.expr.VariableExpression;

/** Collects the names that an expression stands on: variables, and parameters as a.b. */
final class Words extends CodeVisitorSupport {
    private static final int MOST = 50;
    private final Set<String> names = new LinkedHashSet<>();
    private final Set<String> params = new LinkedHashSet<>();

    List<String> names() {
        return names.stream().limit(MOST).map(name -> Texts.cut(name, 390)).toList();
    }

    List<String> params() {
        return params.stream().limit(MOST).map(name -> Texts.cut(name, 390)).toList();
    }

    @Override
    public void visitPropertyExpression(PropertyExpression property) {
        String path = parameter(property);
        if (path != null) {
            params.add(path);
        } else {
            property.getObjectExpression().visit(this);
        }
    }

    @Override
    public void visitVariableExpression(VariableExpression variable) {
        names.add(variable.getName());
    }

    /** Returns the parameter, as a.b, that a property of params names; null for any other property. */
    static String parameter(PropertyExpression property) {
        var path = new ArrayList<String>();
        Expression one = property;
        while (one instanceof PropertyExpression part && part.getPropertyAsString() != null) {
            path.add(0, part.getPropertyAsString());
            one = part.getObjectExpression();
        }
        boolean isParameter = one instanceof VariableExpression root && root.getName().equals("params");
        return isParameter ? String.join(".", path) : null;
    }
}
