package strongroom.outline;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OutlineTest {
    private static final String HONEST = """
            include { ONE as OTHER } from './modules/one'
            params.k = 0.05
            process TWO {
                container 'genomics'
                publishDir 'results', mode: 'copy'
                input:
                tuple val(person), path(reads)
                output:
                path "${person}.txt"
                script:
                def mode = params.quick ? '--quick' : ''
                \"\"\"
                  tool ${mode} -k ${params.k} \\\\
                    ${reads} > ${person}.txt
                \"\"\"
            }
            workflow {
                TWO(OTHER(Channel.of(1)))
                println file('x').text
            }
            """;
    @TempDir
    Path folder;

    @Test
    void aListOfMapsInAConfigurationIsOneSettingForEach() throws IOException {
        write("main.nf", "workflow { println 1 }\n");
        write("nextflow.config", "process.publishDir = [[path: 'a', mode: 'copy'], [path: 'b']]\n");
        var settings = new strongroom.outline.Files(folder).follow("main.nf").get("settings");
        assertEquals(List.of("a", "b"), settings.stream()
                .map(one -> String.valueOf(map(map(map(one).get("named")).get("path")).get("value"))).toList());
    }

    @Test
    void whatATextCanBeIsToldAndANumberKeepsItsSign() throws IOException {
        write("main.nf", """
                params.least = -0.5
                workflow {
                    ONE(params.reads.map { one -> [one, []] }, [], 1)
                }
                """);
        write("nextflow.config", """
                process.ext.a = { x ? '--one' : "--two ${meta.id}" }
                process.ext.b = { ['--a', params.n ?: '-n', params.x ? "--x ${params.x}" : ''].join(' ').trim() }
                process.ext.c = { made(x) }
                """);
        var found = new strongroom.outline.Files(folder).follow("main.nf");
        assertEquals(List.of(List.of("--one", "--two ${meta.id}"),
                List.of("--a ${params.n} --x ${params.x}", "--a ${params.n}", "--a -n --x ${params.x}", "--a -n")),
                found.get("settings").stream().limit(2).map(one -> map(map(one).get("value")).get("forms")).toList());
        assertEquals(null, map(map(found.get("settings").get(2)).get("value")).get("forms"));
        assertEquals("-0.5", String.valueOf(map(map(found.get("params").get(0)).get("default")).get("value")));
        var call = map(found.get("calls").stream().filter(one -> "ONE".equals(map(one).get("name"))).findFirst().orElseThrow());
        assertEquals(List.of(0, 1), call.get("empties"));
        assertTrue(list(call, "others").contains("params.reads"));
    }

    @Test
    void anErrorIsNoScriptAndWhatIsAddedToIsToldWhole() throws IOException {
        write("main.nf", """
                process ONE {
                    input:
                    val mode
                    script:
                    def args = mode ? '--all' : ''
                    args += ' --more'
                    if (mode == 'a')
                        "cat ${args}"
                    else if (mode == 'b')
                        throw new RuntimeException('no')
                    else
                        error "Invalid mode: ${mode}"
                }
                workflow { ONE('a') }
                """);
        var found = new strongroom.outline.Files(folder).follow("main.nf");
        assertEquals(List.of(), found.get("errors"));
        var one = map(found.get("processes").get(0));
        assertEquals(List.of("text"), list(one, "scripts").stream().map(said -> map(said).get("kind")).toList());
        assertEquals(List.of(List.of("--all --more", " --more")),
                list(one, "locals").stream().map(said -> map(said).get("forms")).toList());
    }

    @Test
    void aProcessIsReadWithWhatItSays() throws IOException {
        write("main.nf", HONEST);
        write("modules/one.nf", "process ONE {\n  output:\n  stdout\n  exec:\n  println 1\n}\n");
        var found = new strongroom.outline.Files(folder).follow("main.nf");
        assertEquals(List.of(), found.get("errors"));
        var two = map(found.get("processes").get(0));
        assertEquals("TWO", two.get("name"));
        assertEquals(List.of("container", "publishDir"), names(two, "directives"));
        assertEquals(List.of("val", "path"), names(map(list(two, "inputs").get(0)), "inner"));
        var script = map(list(two, "scripts").get(0));
        assertEquals(13, script.get("line"));
        var parts = list(script, "parts");
        assertEquals("tool ", map(parts.get(0)).get("text"));
        assertEquals(List.of("k"), map(map(parts.get(3)).get("hole")).get("params"));
        assertEquals(" \\\n  ", map(parts.get(4)).get("text"));
        assertEquals(List.of("--quick", ""), map(list(two, "locals").get(0)).get("choices"));
        var one = map(found.get("processes").get(1));
        assertEquals(List.of("exec", "modules/one.nf"), List.of(one.get("kind"), one.get("file")));
        assertEquals(List.of(List.of("ONE", "OTHER")), map(found.get("includes").get(0)).get("names"));
        assertTrue(found.get("calls").stream().anyMatch(call -> ".text".equals(map(call).get("name"))));
        assertEquals("0.05", map(map(found.get("params").get(0)).get("default")).get("value").toString());
    }

    @Test
    void whatItsParserRefusesHasALineAndStopsNoOtherFile() throws IOException {
        write("main.nf", "workflow {\n  x = (1\n}\n");
        write("deep.nf", "x = " + "(".repeat(200_000));
        write("fine.nf", "process A {\n  script:\n  'true'\n}\n");
        var found = new strongroom.outline.Files(folder).follow("main.nf");
        var errors = found.get("errors");
        assertTrue(errors.stream().anyMatch(one -> "main.nf".equals(map(one).get("file")) && !map(one).get("line").equals(0)));
        assertTrue(errors.stream().anyMatch(one -> "deep.nf".equals(map(one).get("file"))));
        assertEquals("A", map(found.get("processes").get(0)).get("name"));
    }

    @Test
    void codeThatRunsAtCompileTimeIsReadAndNotRun() throws IOException {
        var ran = folder.resolve("ran");
        write("main.nf", "workflow { }\n");
        write("lib/Evil.groovy", "import groovy.transform.ASTTest\n@Grab('a:b:1')\n"
                + "@ASTTest(value = { new File('" + ran + "').text = 'x' })\nclass Evil { static { new File('" + ran + "').text = 'x' } }\n");
        var found = new strongroom.outline.Files(folder).follow("main.nf");
        assertFalse(Files.exists(ran));
        assertEquals(List.of("lib/Evil.groovy"), found.get("code"));
        assertTrue(found.get("calls").stream().anyMatch(call -> "@Grab".equals(map(call).get("name"))));
        assertTrue(found.get("calls").stream().anyMatch(call -> "@ASTTest".equals(map(call).get("name"))));
    }

    @Test
    void whatIsPublishedIsToldWithWhatItStandsOn() throws IOException {
        write("main.nf", """
                nextflow.preview.output = true
                include { MORE } from './more'
                workflow {
                    main:
                    A(Channel.of(1))
                    calls = A.out.calls.map { one -> one }.mix(A.out[1])
                    MORE.out.x.set { more }
                    publish:
                    here = calls
                    there = more
                }
                output {
                    here { path 'a' }
                    there { enabled false }
                }
                """);
        write("more.nf", "workflow MORE {\n  main:\n  y = 1\n  emit:\n  x = B(y)\n}\n");
        var found = new strongroom.outline.Files(folder).follow("main.nf");
        assertEquals(List.of(), found.get("errors"));
        var entry = map(found.get("workflows").get(0));
        assertEquals(List.of("A.out.calls", "A.out.1"), map(list(entry, "named").get(0)).get("sources"));
        assertEquals(List.of("MORE.out.x"), map(list(entry, "named").get(1)).get("sources"));
        assertEquals(List.of("here", "there"), names(entry, "publishes"));
        assertEquals(List.of("B.out"), map(list(map(found.get("workflows").get(1)), "emits").get(0)).get("sources"));
        assertEquals(List.of("path"), names(map(found.get("outputs").get(0)), "directives"));
        assertEquals("nextflow.preview.output", map(found.get("flags").get(0)).get("name"));
    }

    @Test
    void aConfigurationIsReadSettingBySettingAndProgramsAreTold() throws IOException {
        write("main.nf", "workflow { }\n");
        write("nextflow.config", "includeConfig 'conf/base'\nprocess {\n  withName: 'A' { cpus = 2 }\n}\n"
                + "params.x = 'id'.execute()\nnothing.at.all = 1\n");
        write("conf/base", "plugins { id 'nf-x@1' }\n");
        write("conf/bad.config", "while (1) { x = 1 }\n");
        write("bin/tool", "#!/bin/bash\ntrue\n");
        write("bin/compiled", "\0");
        write("modules/x/resources/usr/bin/own", "true\n");
        write("resources/bin/mine", "true\n");
        write("resources/no-program", "true\n");
        var found = new strongroom.outline.Files(folder).follow("main.nf");
        assertEquals(List.of("conf/bad.config", "nextflow.config", "conf/base"), found.get("configs"));
        var settings = found.get("settings").stream().map(one -> map(one).get("name") + " " + map(one).get("selector")
                + map(one).get("line") + map(one).get("known")).toList();
        assertEquals(List.of("includeConfig 1true", "process.cpus withName:A3true", "params.x 5false",
                "nothing.at.all 6false", "plugins.id 1true"), settings);
        assertTrue(found.get("calls").stream().anyMatch(call -> "config".equals(map(call).get("where"))));
        assertEquals("conf/bad.config", map(found.get("errors").get(0)).get("file"));
        assertEquals(null, map(found.get("programs").get(0)).get("text"));
        assertEquals(List.of("bin/compiled", "bin/tool", "modules/x/resources/usr/bin/own", "resources/bin/mine"),
                found.get("programs").stream().map(one -> map(one).get("path")).toList());
    }

    @Test
    void aScriptWithCodeBesideIsReadAsOneWithout() throws IOException {
        write("strict.nf", HONEST);
        write("main.nf", HONEST + "log.trace 'beside'\n");
        write("modules/one.nf", "process ONE {\n  output:\n  stdout\n  exec:\n  println 1\n}\n");
        var found = new strongroom.outline.Files(folder).follow("main.nf");
        assertEquals(List.of(), found.get("errors"));
        for (String section : List.of("processes", "params", "texts", "workflows", "includes")) {
            var strict = found.get(section).stream().filter(one -> "strict.nf".equals(map(one).get("file")))
                    .map(one -> one.toString().replace("strict.nf", "main.nf")).sorted().toList();
            var loose = found.get(section).stream().filter(one -> "main.nf".equals(map(one).get("file")))
                    .map(Object::toString).sorted().toList();
            assertEquals(strict, loose, section);
        }
    }

    @Test
    void aFormIsFollowedInItsTurnsAndACodeThatCountsIsNone() throws IOException {
        write("main.nf", """
                process ONE {
                    input:
                    val x
                    script:
                    def args = '-a'
                    if (x) { args += " -b $x" } else { args = '' }
                    def n = 1
                    n += 1
                    def all = ''
                    [1].each { all += '-c' }
                    def many = ''
                    %s
                    def large = '%s'
                    large += '%s'
                    "tool $args $n $all $many $large"
                }
                workflow { ONE(1) }
                """.formatted(java.util.stream.IntStream.range(0, 25).mapToObj(n -> "if (x == %d) many = '-%d'".formatted(n, n))
                        .collect(java.util.stream.Collectors.joining("\n    ")), "x".repeat(300), "y".repeat(300)));
        var one = map(new strongroom.outline.Files(folder).follow("main.nf").get("processes").get(0));
        var forms = new java.util.HashMap<Object, Object>();
        list(one, "locals").forEach(said -> forms.put(map(said).get("name"), map(said).get("forms")));
        assertEquals(List.of("-a -b ${x}", ""), forms.get("args"));
        assertEquals(null, forms.get("n"));
        assertEquals(null, forms.get("all"));
        assertEquals(null, forms.get("many"));
        assertEquals(null, forms.get("large"));
    }

    private void write(String path, String text) throws IOException {
        var file = folder.resolve(path);
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }

    @SuppressWarnings("unchecked")
    private static Map<String, Object> map(Object one) {
        return (Map<String, Object>) one;
    }

    @SuppressWarnings("unchecked")
    private static List<Object> list(Map<String, Object> one, String name) {
        return (List<Object>) one.get(name);
    }

    private static List<Object> names(Map<String, Object> one, String section) {
        return list(one, section).stream().map(said -> map(said).get("name")).toList();
    }
}
