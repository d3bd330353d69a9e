package strongroom.outline;

import java.util.List;
import java.util.function.BiConsumer;
import org.codehaus.groovy.ast.ASTNode;
import org.codehaus.groovy.ast.AnnotatedNode;
import org.codehaus.groovy.ast.AnnotationNode;
import org.codehaus.groovy.ast.ClassCodeVisitorSupport;
import org.codehaus.groovy.ast.ImportNode;
import org.codehaus.groovy.ast.ModuleNode;
import org.codehaus.groovy.ast.expr.BinaryExpression;
import org.codehaus.groovy.ast.expr.ClosureExpression;
import org.codehaus.groovy.ast.expr.TupleExpression;
import org.codehaus.groovy.ast.expr.VariableExpression;
import org.codehaus.groovy.control.SourceUnit;

/** Refuses what Groovy's parser takes and no reading of it would see through. */
final class Misplaced extends ClassCodeVisitorSupport {
    private static final String FIELD = "groovy.transform.Field";
    private static final List<String> OURS = List.of("projectDir", "baseDir", "moduleDir", "workflow", "params", "log");
    private final BiConsumer<ASTNode, String> refuse;

    private Misplaced(BiConsumer<ASTNode, String> refuse) {
        this.refuse = refuse;
    }

    static void look(ModuleNode module, BiConsumer<ASTNode, String> refuse) {
        var look = new Misplaced(refuse);
        if (module.getPackage() != null) {
            refuse.accept(module.getPackage(), "A script is of no package.");
        }
        module.getImports().forEach(look::imported);
        for (var one : List.of(module.getStaticImports(), module.getStaticStarImports())) {
            one.values().forEach(it -> refuse.accept(it, "A static import hides what a call is; name its class."));
        }
        module.getStarImports().forEach(look::visitAnnotations);
        for (var one : module.getClasses()) { // that of the script's own statements among them
            look.visitAnnotations(one);
            look.visitClass(one);
            if (!one.isScript()) {
                refuse.accept(one, "Classes stand in lib/, not in a script.");
            }
        }
    }

    private void imported(ImportNode one) {
        visitAnnotations(one);
        boolean isField = one.getAlias().equals("Field") && !one.getClassName().equals(FIELD);
        if (isField || !one.getType().getNameWithoutPackage().equals(one.getAlias())) {
            refuse.accept(one, "An import under another name hides what a call is; name the class itself.");
        }
    }

    @Override
    protected SourceUnit getSourceUnit() {
        return null;
    }

    @Override
    public void visitAnnotations(AnnotatedNode node) {
        for (AnnotationNode one : node.getAnnotations()) {
            boolean isField = List.of("Field", FIELD).contains(one.getClassNode().getName())
                    && one.getMembers().isEmpty();
            if (!isField) {
                refuse.accept(one, "Annotations can run code while a script is compiled; only @Field stands here.");
            }
        }
    }

    @Override
    public void visitBinaryExpression(BinaryExpression binary) {
        // Includes and files are looked for by these: who sets them would have others found.
        var set = binary.getLeftExpression() instanceof TupleExpression names
                ? names.getExpressions() : List.of(binary.getLeftExpression());
        boolean isOurs = set.stream().anyMatch(
                one -> one instanceof VariableExpression name && OURS.contains(name.getName()));
        if (isOurs && binary.getOperation().getText().equals("=")) {
            refuse.accept(binary, "Nextflow itself sets " + String.join(", ", OURS) + ".");
        }
        super.visitBinaryExpression(binary);
    }

    @Override
    public void visitClosureExpression(ClosureExpression closure) {
        CodeReading.givenBefore(closure.getParameters()).forEach(one -> one.visit(this));
        super.visitClosureExpression(closure);
    }
}
