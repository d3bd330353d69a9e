package strongroom.outline;

import java.util.List;
import org.codehaus.groovy.ast.AnnotatedNode;
import org.codehaus.groovy.ast.AnnotationNode;
import org.codehaus.groovy.ast.ClassCodeVisitorSupport;
import org.codehaus.groovy.ast.ImportNode;
import org.codehaus.groovy.ast.ModuleNode;
import org.codehaus.groovy.ast.expr.ClosureExpression;
import org.codehaus.groovy.control.SourceUnit;

/** Refuses what a script in Groovy's form can hold and no reading of it would see through. */
final class Misplaced extends ClassCodeVisitorSupport {
    private static final String FIELD = "groovy.transform.Field";
    private final ModuleNode module;
    private final Loose loose;

    Misplaced(ModuleNode module, Loose loose) {
        this.module = module;
        this.loose = loose;
    }

    void look() {
        if (module.getPackage() != null) {
            loose.refuse(module.getPackage(), "A script is of no package.");
        }
        module.getImports().forEach(this::imported);
        for (var one : List.of(module.getStaticImports(), module.getStaticStarImports())) {
            one.values().forEach(it -> loose.refuse(it, "A static import hides what a call is; call it by its class."));
        }
        module.getStarImports().forEach(one -> visitAnnotations(one));
        for (var one : module.getClasses()) {
            visitAnnotations(one);
            if (!one.isScript()) {
                loose.refuse(one, "Classes stand in lib/, not in a script.");
            }
        }
        loose.statements.visit(this);
        module.getMethods().forEach(this::visitMethod);
        loose.script.getWorkflows().forEach(one -> List.of(one.takes, one.main, one.emits, one.publishers)
                .forEach(part -> part.visit(this)));
        loose.script.getProcesses().forEach(one -> {
            List.of(one.directives, one.inputs, one.outputs, one.exec, one.stub).forEach(part -> part.visit(this));
            if (one.when != null) {
                one.when.visit(this);
            }
        });
        if (loose.script.getOutputs() != null) {
            loose.script.getOutputs().declarations.forEach(one -> one.body.visit(this));
        }
    }

    private void imported(ImportNode one) {
        visitAnnotations(one);
        boolean isField = one.getAlias().equals("Field") && !one.getClassName().equals(FIELD);
        if (isField || !one.getType().getNameWithoutPackage().equals(one.getAlias())) {
            loose.refuse(one, "An import under another name hides what a call is; name the class itself.");
        }
    }

    @Override
    protected SourceUnit getSourceUnit() {
        return null;
    }

    @Override
    public void visitAnnotations(AnnotatedNode node) {
        for (AnnotationNode one : node.getAnnotations()) {
            boolean isField = List.of("Field", FIELD).contains(one.getClassNode().getName()) && one.getMembers().isEmpty();
            if (!isField) {
                loose.refuse(one, "Annotations can run code while a script is compiled; @Field alone can stand here.");
            }
        }
    }

    @Override
    public void visitClosureExpression(ClosureExpression closure) {
        CodeReading.givenBefore(closure).forEach(one -> one.visit(this));
        super.visitClosureExpression(closure);
    }
}
