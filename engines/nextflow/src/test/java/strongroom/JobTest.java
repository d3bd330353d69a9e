package strongroom;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class JobTest {
    @ParameterizedTest
    @CsvSource({"ALIGN,ALIGN", "MAP:ALIGN,ALIGN", "A:B:ALIGN_2,ALIGN_2"})
    void aProcessHasTheNameThatTheVettersRead(String qualified, String name) {
        assertEquals(name, Job.process(qualified));
    }
}
