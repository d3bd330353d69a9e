package strongroom.outline;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.codehaus.groovy.ast.ASTNode;
import org.codehaus.groovy.ast.AnnotatedNode;
import org.codehaus.groovy.ast.ClassCodeVisitorSupport;
import org.codehaus.groovy.ast.ModuleNode;
import org.codehaus.groovy.ast.Parameter;
import org.codehaus.groovy.ast.expr.ArgumentListExpression;
import org.codehaus.groovy.ast.expr.BinaryExpression;
import org.codehaus.groovy.ast.expr.ClosureExpression;
import org.codehaus.groovy.ast.expr.ConstantExpression;
import org.codehaus.groovy.ast.expr.ConstructorCallExpression;
import org.codehaus.groovy.ast.expr.Expression;
import org.codehaus.groovy.ast.expr.GStringExpression;
import org.codehaus.groovy.ast.expr.MapExpression;
import org.codehaus.groovy.ast.expr.MethodCallExpression;
import org.codehaus.groovy.ast.expr.MethodPointerExpression;
import org.codehaus.groovy.ast.expr.PropertyExpression;
import org.codehaus.groovy.ast.expr.StaticMethodCallExpression;
import org.codehaus.groovy.ast.expr.VariableExpression;
import org.codehaus.groovy.ast.stmt.ForStatement;
import org.codehaus.groovy.ast.stmt.IfStatement;
import org.codehaus.groovy.ast.stmt.SwitchStatement;
import org.codehaus.groovy.ast.stmt.TryCatchStatement;
import org.codehaus.groovy.ast.stmt.WhileStatement;
import org.codehaus.groovy.control.SourceUnit;

/** Notes what code would do in the engine: calls, objects that it makes, texts that name places, parameters. */
final class CodeReading extends ClassCodeVisitorSupport {
    private static final int MOST = 20_000;
    private static final List<String> READS = List.of("text", "bytes");
    // Wherever they stand, Nextflow makes of these what they declare.
    private static final List<String> DECLARES = List.of("process", "workflow", "output", "include");
    private static final List<String> PLACES = List.of("lib", "config");
    private static final List<String> HOOKS = List.of("workflow.onComplete", "workflow.onError");
    private final String file;
    private final String where;
    private final Map<String, List<Object>> found;
    private final Slots slots;
    private int choices; // how many branches, loops and closures stand round a place

    CodeReading(String file, String where, Map<String, List<Object>> found) {
        this(file, where, found, new Slots());
    }

    CodeReading(String file, String where, Map<String, List<Object>> found, Slots slots) {
        this.slots = slots;
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
        if (!PLACES.contains(where) && DECLARES.stream().anyMatch(word -> Loose.of(call, word))) {
            found.get("errors").add(Map.of("file", file, "line", Math.max(0, call.getLineNumber()),
                    "message", "A " + method + " is declared by itself, not inside of other code."));
        }
        slots.call(call);
        boolean prints = HOOKS.contains(on + method) && Sayings.given(call).stream().allMatch(Prints::only);
        note("calls", call, on + (method == null ? "(computed)" : method), Texts.of(call), call, Slots.separators(call), prints);
        super.visitMethodCallExpression(call);
    }

    @Override
    public void visitClosureExpression(ClosureExpression closure) {
        givenBefore(closure.getParameters()).forEach(one -> one.visit(this));
        slots.enter(closure);
        choose(() -> super.visitClosureExpression(closure));
        slots.leave();
    }

    /** Returns what parameters are where they are given nothing: Groovy's own visits leave it out. */
    static List<Expression> givenBefore(Parameter[] parameters) {
        return parameters == null ? List.of() : Arrays.stream(parameters)
                .filter(Parameter::hasInitialExpression).map(Parameter::getInitialExpression).toList();
    }

    /** Reads what code decides about: whether, or how often, it is done. */
    void choose(Runnable reading) {
        choices++;
        reading.run();
        choices--;
    }

    @Override
    public void visitIfElse(IfStatement choice) {
        choose(() -> super.visitIfElse(choice));
    }

    @Override
    public void visitForLoop(ForStatement loop) {
        choose(() -> super.visitForLoop(loop));
    }

    @Override
    public void visitWhileLoop(WhileStatement loop) {
        choose(() -> super.visitWhileLoop(loop));
    }

    @Override
    public void visitSwitch(SwitchStatement choice) {
        choose(() -> super.visitSwitch(choice));
    }

    @Override
    public void visitTryCatchFinally(TryCatchStatement tried) {
        choose(() -> super.visitTryCatchFinally(tried));
    }

    @Override
    public void visitStaticMethodCallExpression(StaticMethodCallExpression call) {
        call(call, call.getOwnerType().getName() + "." + call.getMethod(), List.of());
        super.visitStaticMethodCallExpression(call);
    }

    @Override
    public void visitMethodPointerExpression(MethodPointerExpression pointer) {
        Object method = pointer.getMethodName() instanceof ConstantExpression named ? named.getValue() : "(computed)";
        call(pointer, Texts.cut(subject(pointer.getExpression()), 200) + "." + method, List.of());
        super.visitMethodPointerExpression(pointer);
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
        if (isSet && HOOKS.contains(binary.getLeftExpression().getText())) {
            note("calls", binary, binary.getLeftExpression().getText(), "", null, List.of(), Prints.only(binary.getRightExpression()));
        }
        if (isSet) {
            slots.bind(binary.getLeftExpression(), binary.getRightExpression());
        } else if (binary.getOperation().getText().equals("|")) {
            // In its own order: what stands left of a pipe is known before what it is given to.
            binary.getLeftExpression().visit(this);
            slots.pipe(binary);
            if (binary.getRightExpression() instanceof VariableExpression name) {
                var call = new MethodCallExpression(VariableExpression.THIS_EXPRESSION, name.getName(),
                        new ArgumentListExpression(binary.getLeftExpression()));
                call.setSourcePosition(name);
                call(call, name.getName(), List.of());
            }
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
        one.put("default", value == null ? null : choices > 0 ? Texts.unknown(value) : Texts.value(value));
        one.put("parts", choices == 0 && value instanceof MapExpression map ? Texts.parts(map) : null);
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
        note(section, node, name, text, on, separators, false);
    }

    private void note(
            String section, ASTNode node, String name, String text, Expression on, List<String> separators, boolean prints) {
        var one = place(node);
        one.put("name", Texts.cut(name, 390));
        one.put("where", where);
        one.put("text", text);
        one.put("slots", on == null ? List.of() : slots.said(on));
        one.put("others", on == null ? List.of() : slots.others(on));
        one.put("empties", on == null ? List.of() : slots.empties(on));
        one.put("values", on == null ? List.of() : slots.values(on));
        one.put("separators", separators);
        one.put("prints", prints);
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
