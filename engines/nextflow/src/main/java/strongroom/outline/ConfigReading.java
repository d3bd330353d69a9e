package strongroom.outline;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import nextflow.config.ast.ConfigApplyBlockNode;
import nextflow.config.ast.ConfigApplyNode;
import nextflow.config.ast.ConfigAssignNode;
import nextflow.config.ast.ConfigBlockNode;
import nextflow.config.ast.ConfigIncludeNode;
import nextflow.config.ast.ConfigIncompleteNode;
import nextflow.config.ast.ConfigVisitorSupport;
import nextflow.config.schema.SchemaNode;
import org.codehaus.groovy.ast.ASTNode;
import org.codehaus.groovy.ast.expr.ConstantExpression;
import org.codehaus.groovy.ast.expr.Expression;
import org.codehaus.groovy.ast.expr.ListExpression;
import org.codehaus.groovy.ast.expr.MapExpression;
import org.codehaus.groovy.ast.expr.MethodCallExpression;
import org.codehaus.groovy.ast.expr.TupleExpression;
import org.codehaus.groovy.ast.expr.VariableExpression;
import org.codehaus.groovy.control.SourceUnit;

/** Reads one configuration: each setting with its line and whom it is for, and what its code would do. */
final class ConfigReading extends ConfigVisitorSupport {
    private static final int MOST = 2_000;
    private final String file;
    private final Map<String, List<Object>> found;
    private final CodeReading code;
    private final List<String> includes = new ArrayList<>();
    private final Deque<String> blocks = new ArrayDeque<>();
    private String selector = "";
    private boolean isFull;

    ConfigReading(String file, Map<String, List<Object>> found) {
        this.file = file;
        this.found = found;
        code = new CodeReading(file, "config", found);
    }

    /** Returns what it includes by literal names. */
    List<String> includes() {
        return includes;
    }

    @Override
    protected SourceUnit getSourceUnit() {
        return null;
    }

    CodeReading code() {
        return code;
    }

    @Override
    public void visitConfigAssign(ConfigAssignNode set) {
        assign(set.names, set, set.value);
    }

    void assign(List<String> last, ASTNode set, Expression value) {
        var names = new ArrayList<>(blocks);
        names.addAll(last);
        String name = String.join(".", names);
        boolean isKnown = SchemaNode.ROOT.getOption(names) != null;
        for (Expression one : each(value)) {
            note(name, set, one, isKnown);
        }
        if (name.startsWith("params.")) {
            parameter(names, set, value);
        }
        value.visit(code);
    }

    private void parameter(List<String> names, ASTNode set, Expression value) {
        var plain = names.stream().skip(1).takeWhile(one -> !one.contains(".")).toList();
        boolean isPlain = plain.size() == names.size() - 1;
        if (isPlain) {
            code.parameter(String.join(".", plain), set, value);
        } else if (!plain.isEmpty()) {
            // A name with a dot in it is no path: what holds it is not known.
            code.parameter(String.join(".", plain), set, new VariableExpression(names.get(names.size() - 1)));
        }
    }

    /** Returns the maps of a list of maps, as of `publishDir = [[path: …], [path: …]]`; or the value. */
    private static List<Expression> each(Expression value) {
        boolean areMaps = value instanceof ListExpression list && !list.getExpressions().isEmpty()
                && list.getExpressions().stream().allMatch(MapExpression.class::isInstance);
        return areMaps ? ((ListExpression) value).getExpressions() : List.of(value);
    }

    @Override
    public void visitConfigBlock(ConfigBlockNode block) {
        block(block.kind, block.name, () -> super.visitConfigBlock(block));
    }

    /** Reads what stands in a block, or below a selector of a kind. */
    void block(String kind, String name, Runnable inside) {
        String outer = selector;
        if (kind == null) {
            blocks.addLast(name);
        } else {
            selector = kind + ":" + name;
        }
        inside.run();
        if (kind == null) {
            blocks.removeLast();
        }
        selector = outer;
    }

    @Override
    public void visitConfigApplyBlock(ConfigApplyBlockNode block) {
        for (ConfigApplyNode one : block.statements) {
            apply(block.name, one);
        }
    }

    void apply(String block, MethodCallExpression one) {
        Expression first = one.getArguments() instanceof TupleExpression given && !given.getExpressions().isEmpty()
                ? given.getExpression(0) : one.getArguments();
        note(block + "." + one.getMethodAsString(), one, first, true);
        one.getArguments().visit(code);
    }

    @Override
    public void visitConfigInclude(ConfigIncludeNode include) {
        include(include, include.source);
    }

    void include(ASTNode node, Expression source) {
        if (blocks.size() > 1 && blocks.peekFirst().equals("profiles") && !blocks.contains("standard")) {
            note(String.join(".", blocks) + ".includeConfig", node, source, true); // of a profile that no run has
            return;
        }
        note("includeConfig", node, source, true);
        source.visit(code);
        if (source instanceof ConstantExpression named) {
            includes.add(String.valueOf(named.getValue()));
        }
    }

    @Override
    public void visitConfigIncomplete(ConfigIncompleteNode incomplete) {
        found.get("errors").add(Map.of(
                "file", file, "line", Math.max(0, incomplete.getLineNumber()), "message", "This setting has no value."));
    }

    private void note(String name, ASTNode node, Expression value, boolean isKnown) {
        if (found.get("settings").size() >= MOST) {
            if (!isFull) {
                found.get("errors").add(Map.of("file", file, "line", 0, "message", "There is more than an outline holds."));
            }
            isFull = true;
            return;
        }
        var one = new LinkedHashMap<String, Object>();
        one.put("file", file);
        one.put("line", Math.max(0, node.getLineNumber()));
        one.put("name", Texts.cut(name, 390));
        one.put("selector", Texts.cut(selector, 390));
        one.put("known", isKnown);
        one.put("value", Texts.value(value));
        var named = new LinkedHashMap<String, Object>();
        if (value instanceof MapExpression map) {
            map.getMapEntryExpressions().forEach(entry -> named.put(
                    Texts.cut(entry.getKeyExpression().getText(), 390), Texts.value(entry.getValueExpression())));
        }
        one.put("named", named);
        found.get("settings").add(one);
    }
}
