package strongroom;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.LinkedHashSet;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class JobTest {
    @ParameterizedTest
    @CsvSource({"ALIGN,ALIGN", "MAP:ALIGN,ALIGN", "A:B:ALIGN_2,ALIGN_2"})
    void aProcessHasTheNameThatTheVettersRead(String qualified, String name) {
        assertEquals(name, Job.process(qualified));
    }

    @ParameterizedTest
    @CsvSource({"*.bam,a.bam", "'*.{bam,bai}','a.bam,a.bai'", "in/*,in/b.bam", "b.bam,''", "**.bam,'a.bam,in/b.bam'"})
    void whatIncludeInputsPassesOnIsNamedOneByOne(String pattern, String names) {
        var staged = new LinkedHashSet<>(List.of("a.bam", "a.bai", "in/b.bam"));
        var expected = names.isEmpty() ? List.of() : List.of(names.split(","));
        assertEquals(expected, Job.passedOn(List.of(pattern), staged));
    }
}
