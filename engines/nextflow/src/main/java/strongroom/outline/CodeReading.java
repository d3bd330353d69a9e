package strongroom.outline;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.codehaus.groovy.ast.ASTNode;
import org.codehaus.groovy.ast.AnnotatedNode;
import org.codehaus.groovy.ast.ClassCodeVisitorSupport;
import org.codehaus.groovy.ast.ModuleNode;
import org.codehaus.groovy.ast.expr.BinaryExpression;
import org.codehaus.groovy.ast.expr.ClosureExpression;
import org.codehaus.groovy.ast.expr.ConstantExpression;
import org.codehaus.groovy.ast.expr.ConstructorCallExpression;
import org.codehaus.groovy.ast.expr.Expression;
import org.codehaus.groovy.ast.expr.GStringExpression;
import org.codehaus.groovy.ast.expr.MapExpression;
import org.codehaus.groovy.ast.expr.MethodCallExpression;
import org.codehaus.groovy.ast.expr.PropertyExpression;
import org.codehaus.groovy.ast.expr.StaticMethodCallExpression;
import org.codehaus.groovy.control.SourceUnit;

/** Notes what code would do in the engine: calls, objects that it makes, texts that name places, parameters. */
final class CodeReading extends ClassCodeVisitorSupport {
    private static final int MOST = 20_000;
    private static final List<String> READS = List.of("text", "bytes");
    private final String file;
    private final String where;
    private final Map<String, List<Object>> found;
    private final Slots slots = new Slots();

    CodeReading(String file, String where, Map<String, List<Object>> found) {
        this.file = file;
        this.where = where;
        this.found = found;
    }

    void module(ModuleNode module) {
        module.getClasses().forEach(this::visitClass);
        module.getImports().forEach(one -> one.getAnnotations().forEach(it -> call(it, "@" + it.getClassNode().getName())));
        // Groovy makes no visit of its own to what stands on classes.
        module.getClasses().forEach(one -> one.getAnnotations().forEach(it -> call(it, "@" + it.getClassNode().getName())));
    }

    @Override
    protected SourceUnit getSourceUnit() {
        return null;
    }

    @Override
    public void visitAnnotations(AnnotatedNode node) {
        node.getAnnotations().forEach(it -> call(it, "@" + it.getClassNode().getName()));
    }

    @Override
    public void visitMethodCallExpression(MethodCallExpression call) {
        String method = call.getMethodAsString();
        String on = call.isImplicitThis() ? "" : Texts.cut(subject(call.getObjectExpression()), 200) + ".";
        slots.call(call);
        call(call, on + (method == null ? "(computed)" : method), Slots.separators(call));
        super.visitMethodCallExpression(call);
    }

    @Override
    public void visitClosureExpression(ClosureExpression closure) {
        slots.enter(closure);
        super.visitClosureExpression(closure);
        slots.leave();
    }

    @Override
    public void visitStaticMethodCallExpression(StaticMethodCallExpression call) {
        call(call, call.getOwnerType().getName() + "." + call.getMethod(), List.of());
        super.visitStaticMethodCallExpression(call);
    }

    @Override
    public void visitConstructorCallExpression(ConstructorCallExpression call) {
        call(call, "new " + call.getType().getName(), List.of());
        super.visitConstructorCallExpression(call);
    }

    @Override
    public void visitPropertyExpression(PropertyExpression property) {
        String path = Words.parameter(property);
        if (path != null) {
            parameter(path, property, null);
            return;
        }
        if (READS.contains(property.getPropertyAsString())) {
            call(property, "." + property.getPropertyAsString(), List.of());
        }
        super.visitPropertyExpression(property);
    }

    @Override
    public void visitBinaryExpression(BinaryExpression binary) {
        boolean isSet = binary.getOperation().getText().equals("=");
        if (isSet && binary.getLeftExpression() instanceof PropertyExpression left && Words.parameter(left) != null) {
            parameter(Words.parameter(left), left, binary.getRightExpression());
            binary.getRightExpression().visit(this);
            return;
        }
        if (isSet) {
            slots.bind(binary.getLeftExpression(), binary.getRightExpression());
        } else if (binary.getOperation().getText().equals("|")) {
            // In its own order: what stands left of a pipe is known before what it is given to.
            binary.getLeftExpression().visit(this);
            slots.pipe(binary);
            binary.getRightExpression().visit(this);
            return;
        }
        super.visitBinaryExpression(binary);
    }

    @Override
    public void visitConstantExpression(ConstantExpression constant) {
        if (constant.getValue() instanceof String text && (text.contains("://") || text.startsWith("/"))) {
            text(constant, text);
        }
    }

    @Override
    public void visitGStringExpression(GStringExpression string) {
        String first = String.valueOf(string.getStrings().get(0).getValue());
        if (first.contains("://") || first.startsWith("/")) {
            text(string, first);
        }
        string.getValues().forEach(one -> one.visit(this));
    }

    void parameter(String path, ASTNode node, Expression value) {
        var one = place(node);
        one.put("name", Texts.cut(path, 390));
        one.put("default", value == null ? null : Texts.value(value));
        one.put("parts", value instanceof MapExpression map ? Texts.parts(map) : null);
        add("params", one);
    }

    private static String subject(Expression expression) {
        return expression instanceof ConstructorCallExpression made ? "new " + made.getType().getName() : expression.getText();
    }

    private void call(ASTNode node, String name) {
        note("calls", node, name, "", null, List.of());
    }

    private void call(Expression node, String name, List<String> separators) {
        note("calls", node, name, Texts.of(node), node, separators);
    }

    private void text(ASTNode node, String text) {
        note("texts", node, text, "", null, List.of());
    }

    private void note(
            String section, ASTNode node, String name, String text, Expression on, List<String> separators) {
        var one = place(node);
        one.put("name", Texts.cut(name, 390));
        one.put("where", where);
        one.put("text", text);
        one.put("slots", on == null ? List.of() : slots.said(on));
        one.put("others", on == null ? List.of() : slots.others(on));
        one.put("empties", on == null ? List.of() : slots.empties(on));
        one.put("separators", separators);
        add(section, one);
    }

    private Map<String, Object> place(ASTNode node) {
        var one = new LinkedHashMap<String, Object>();
        one.put("file", file);
        one.put("line", Math.max(0, node.getLineNumber()));
        return one;
    }

    private void add(String section, Map<String, Object> one) {
        if (found.get(section).size() < MOST) {
            found.get(section).add(one);
        } else if (found.get(section).size() == MOST) {
            found.get(section).add(one);
            found.get("errors").add(Map.of("file", file, "line", 0, "message", "There is more than an outline holds."));
        }
    }
}
