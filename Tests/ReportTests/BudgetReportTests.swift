// What became of budgets, in words and as JUnit's XML.

import Findings
import MadeFindings
import PacketPath
import Report
import Testing

@Suite struct BudgetReportTests {
    private func checks(_ text: String, _ comparison: Comparison) throws -> [BudgetCheck] {
        try comparison.check(try BudgetParser.budgets(in: text, source: "limits"))
    }

    /// The second arm's irq is 2 µs slower.
    private let slower = slowerInterrupts()

    /// The second arm is 2 % slower, by less than packets differ.
    private let uncertain = Comparison(
        [Int64(20_000), 20_800].map { irq in
            let swinging = journeys(200, irq: irq).map { ["irq": irq + ($0["irq", default: irq] - irq) * 40] }
            return arm("\(irq)", [MadeFlow(journeys: swinging)])
        }, seed: 1)

    @Test func `what was measured is told with the first arm's value and how sure the difference is`() throws {
        let text = BudgetReport.text(
            try checks("rx irq mean <= +5%\nrx irq p99 <= 1s\novs-upcall max <= 1s", slower), colour: false)
        #expect(text.contains("µs of 200 packets, 20.5 µs in the first arm; 95 % interval +"))
        #expect(text.contains("irq p99 <= 1s"))
        #expect(text.contains("MISSING") && text.contains("no packet to hold against it"))
    }

    @Test func `what is not decided is skipped by JUnit and complained of`() throws {
        let checks = try checks("irq mean <= +1%\nirq p50 <= +0%\nirq mean <= +50%", uncertain)
        #expect(BudgetReport.junit(checks).contains("<skipped message=\"+2.0 %"))
        #expect(BudgetReport.complaints(checks).count == 2)
    }

    @Test func `JUnit's XML counts failures and escapes what it quotes`() throws {
        let checks = try checks("irq p99 <= 22us\novs-upcall mean <= 1s\nrx end-to-end mean <= +50%", slower)
        let xml = BudgetReport.junit(checks)
        #expect(xml.contains("tests=\"5\" failures=\"1\" errors=\"2\" skipped=\"0\""))
        #expect(xml.contains("name=\"irq p99 &lt;= 22us\""))
        #expect(xml.contains("<testcase classname=\"b rx g3\""))
        #expect(!xml.replacing("<=", with: "").contains("p99 <"))
    }
}
