package strongroom.outline;

import java.io.File;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import nextflow.script.ast.FeatureFlagNode;
import nextflow.script.ast.FunctionNode;
import nextflow.script.ast.IncludeModuleNode;
import nextflow.script.ast.IncludeNode;
import nextflow.script.ast.OutputBlockNode;
import nextflow.script.ast.OutputNode;
import nextflow.script.ast.ScriptNode;
import org.codehaus.groovy.ast.ASTNode;
import org.codehaus.groovy.ast.ModuleNode;
import org.codehaus.groovy.ast.expr.BinaryExpression;
import org.codehaus.groovy.ast.expr.CastExpression;
import org.codehaus.groovy.ast.expr.ClosureExpression;
import org.codehaus.groovy.ast.expr.ConstantExpression;
import org.codehaus.groovy.ast.expr.Expression;
import org.codehaus.groovy.ast.expr.GStringExpression;
import org.codehaus.groovy.ast.expr.MethodCallExpression;
import org.codehaus.groovy.ast.expr.PropertyExpression;
import org.codehaus.groovy.ast.expr.VariableExpression;
import org.codehaus.groovy.ast.stmt.BlockStatement;
import org.codehaus.groovy.ast.stmt.ExpressionStatement;
import org.codehaus.groovy.ast.stmt.Statement;
import org.codehaus.groovy.control.CompilationFailedException;
import org.codehaus.groovy.control.CompilerConfiguration;
import org.codehaus.groovy.control.ErrorCollector;
import org.codehaus.groovy.control.SourceUnit;

/** Finds in a script that the strict parser refuses what it declares, by the parser that would run it: Groovy's. */
final class Loose {
    /** A line of the file, and why it is not understood. */
    record Refused(int line, String why) {}

    /** What stands before the path of an include from the workflow's folder. */
    static final String FOLDER = "$projectDir/";
    static final List<String> FOLDERS = List.of("projectDir", "baseDir", "workflow.projectDir");

    final ScriptNode script;
    /** What stands beside the declarations, in its order. */
    final BlockStatement statements = new BlockStatement();
    final List<Refused> refused = new ArrayList<>();

    private Loose(SourceUnit source) {
        script = new ScriptNode(source);
    }

    /** Returns a script; null if Groovy's parser refuses it too. */
    static Loose of(File file, String text) {
        var source = source(file);
        var module = module(source, text);
        if (module == null) {
            return null;
        }
        var loose = new Loose(source);
        loose.read(module);
        return loose;
    }

    /** Returns Groovy's reading of a file, a source unit alone: a compilation unit would run transformations. */
    static SourceUnit source(File file) {
        var configuration = new CompilerConfiguration();
        return new SourceUnit(file, configuration, null, new ErrorCollector(configuration));
    }

    /** Returns what a file holds; null if Groovy's parser refuses it. */
    static ModuleNode module(SourceUnit source, String text) {
        try {
            source.parse();
            ModuleNode module = source.buildAST();
            Verbatim.give(module, text);
            return module;
        } catch (CompilationFailedException wrong) {
            return null;
        }
    }

    private void read(ModuleNode module) {
        for (Statement one : module.getStatementBlock().getStatements()) {
            if (!declares(one)) {
                statements.addStatement(one);
            }
        }
        for (var method : module.getMethods()) {
            var function = new FunctionNode(
                    method.getName(), method.getReturnType(), method.getParameters(), method.getCode());
            function.setSourcePosition(method);
            script.addFunction(function);
        }
        var named = new Named(module, statements);
        script.getProcesses().forEach(named::put);
        Misplaced.look(module, this::refuse);
    }

    void refuse(ASTNode node, String why) {
        refused.add(new Refused(Math.max(0, node.getLineNumber()), why));
    }

    private boolean declares(Statement statement) {
        if (!(statement instanceof ExpressionStatement said)) {
            return false;
        }
        if (said.getExpression() instanceof BinaryExpression set && set.getOperation().getText().equals("=")
                && set.getLeftExpression() instanceof PropertyExpression flag
                && flag.getText().startsWith("nextflow.")) {
            var one = new FeatureFlagNode(flag.getText(), set.getRightExpression());
            one.setSourcePosition(set);
            script.addFeatureFlag(one);
            return true;
        }
        if (!(said.getExpression() instanceof MethodCallExpression call)) {
            return false;
        }
        if (of(call, "process")) {
            new LooseSections(this).process(call);
        } else if (of(call, "workflow")) {
            new LooseSections(this).workflow(call);
        } else if (of(call, "output")) {
            output(call);
        } else if (root(call) instanceof MethodCallExpression first && of(first, "include")) {
            include(call, first);
        } else {
            return false;
        }
        return true;
    }

    /** Says whether a call is what declares such a thing, as Nextflow sees it. */
    static boolean of(MethodCallExpression call, String word) {
        return word.equals(call.getMethodAsString()) && "this".equals(call.getObjectExpression().getText());
    }

    private static Expression root(MethodCallExpression call) {
        return call.getObjectExpression() instanceof MethodCallExpression inner ? root(inner) : call;
    }

    /** Returns the only argument of a call; null if there are others, or none. */
    static Expression only(MethodCallExpression call) {
        var given = Sayings.given(call);
        return given.size() == 1 ? given.get(0) : null;
    }

    private void output(MethodCallExpression call) {
        var outputs = new ArrayList<OutputNode>();
        var declared = only(call) instanceof ClosureExpression block
                ? Sayings.statements(block.getCode()) : List.<Statement>of();
        for (Statement one : declared) {
            if (one instanceof ExpressionStatement said && said.getExpression() instanceof MethodCallExpression named
                    && named.isImplicitThis() && named.getMethodAsString() != null
                    && only(named) instanceof ClosureExpression body) {
                LooseSections.check(body.getCode(), "output", this);
                var output = new OutputNode(named.getMethodAsString(), body.getCode());
                output.setSourcePosition(named);
                outputs.add(output);
            } else {
                refuse(one, "An output is a name and a block.");
            }
        }
        if (!(only(call) instanceof ClosureExpression) || script.getOutputs() != null) {
            refuse(call, "There is one output block, of names with blocks.");
        }
        var block = new OutputBlockNode(outputs);
        block.setSourcePosition(call);
        script.setOutputs(block);
    }

    private void include(MethodCallExpression from, MethodCallExpression named) {
        boolean isFrom = from.getObjectExpression() == named && "from".equals(from.getMethodAsString());
        var source = isFrom ? source(only(from)) : null;
        if (source == null) {
            refuse(from, "An include is `include { NAME } from './file'`: literally, without addParams or params.");
            return;
        }
        var names = new ArrayList<IncludeModuleNode>();
        List<? extends ASTNode> asked = only(named) instanceof ClosureExpression block
                ? Sayings.statements(block.getCode()) : only(named) == null ? List.of() : List.of(only(named));
        for (ASTNode one : asked) {
            var name = name(one instanceof ExpressionStatement said ? said.getExpression() : one);
            if (name == null) {
                refuse(one, "What is included is a name, or `NAME as OTHER`.");
            } else {
                names.add(new IncludeModuleNode(name.getKey(), name.getValue()));
            }
        }
        if (names.isEmpty()) {
            refuse(named, "An include says which names it takes.");
        }
        var include = new IncludeNode(source, names);
        include.setSourcePosition(from);
        script.addInclude(include);
    }

    /** Returns the file that an include names, by its letters or from the workflow's folder; null if code makes it. */
    private static ConstantExpression source(Expression named) {
        if (named instanceof GStringExpression text && text.getValues().size() == 1
                && FOLDERS.contains(text.getValue(0).getText())
                && text.getStrings().get(0).getText().isEmpty() && text.getStrings().get(1).getText().startsWith("/")) {
            return new ConstantExpression(FOLDER + text.getStrings().get(1).getText().substring(1));
        }
        return named instanceof ConstantExpression literal && literal.getValue() instanceof String path
                && !path.startsWith(FOLDER) ? literal : null;
    }

    /** Returns an included name, and what it is here; null if it is neither a name nor one `as` another. */
    private static Map.Entry<String, String> name(ASTNode node) {
        if (node instanceof VariableExpression variable) {
            return Map.entry(variable.getName(), variable.getName());
        }
        return node instanceof CastExpression cast && cast.getExpression() instanceof VariableExpression variable
                ? Map.entry(variable.getName(), cast.getType().getName()) : null;
    }
}
