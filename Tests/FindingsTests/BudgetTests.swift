// The language of limits: what it says, where it is wrong, and what is broken.

import Findings
import MadeFindings
import PacketPath
import Testing

@Suite struct BudgetTests {
    private func parse(_ text: String) throws -> [Budget] { try BudgetParser.budgets(in: text, source: "limits") }

    @Test func `limits are read with scopes, units, signs and comments`() throws {
        let budgets = try parse(
            """
            # latency of the fast path
            vhost-wakeup p99 <= 50us

            "same cpu" rx g3 end-to-end mean<+5 %   # regression
            \tnic max < 1.5 ms\r
            tx end-to-end p50 <= -10%
            """)
        #expect(
            budgets.map(\.text) == [
                "vhost-wakeup p99 <= 50us", "\"same cpu\" rx g3 end-to-end mean<+5 %", "nic max < 1.5 ms",
                "tx end-to-end p50 <= -10%",
            ])
        #expect(budgets.map(\.limit) == [.time(50_000), .change(0.05), .time(1_500_000), .change(-0.1)])
        #expect(budgets.map(\.statistic) == [.p99, .mean, .max, .p50])
        #expect(budgets.map(\.isStrict) == [false, true, true, false])
        #expect(budgets[1].scope.map(\.text) == ["same cpu", "rx", "g3"])
        #expect(budgets.map(\.stage.place.line) == [2, 4, 5, 6])
    }

    @Test(arguments: [
        ("vhost-wakeup p99 50us", 1, 22, "expected <="), ("\n\nvhost-wakup p99 <= 50us", 3, 1, "found vhost-wakup"),
        ("irq p95 <= 50us", 1, 5, "found p95"), ("p99 <= 50us", 1, 1, "expected a stage"),
        ("<= 50us", 1, 1, "before <="),
        ("irq p99 <=", 1, 11, "expected a limit"), ("irq p99 <= fast", 1, 12, "found fast"),
        ("irq p99 <= 50", 1, 14, "expected a unit"),
        ("irq p99 <= 50 parsecs", 1, 15, "found parsecs"), ("irq p99 <= 5%", 1, 12, "has a sign"),
        ("irq p99 <= +5us", 1, 12, "no sign"),
        ("irq p99 <= 5us now", 1, 16, "expected the end"), ("irq max <= +5%", 1, 5, "mean, p50, p90 or p99"),
        ("\"irq p99 <= 5us", 1, 1, "no other end"), ("irq p99 <= 1e400us", 1, 12, "expected a unit"),
        ("irq p99 <= us", 1, 12, "expected a limit"),
    ])
    func `what can't be read is named by line and column`(text: String, line: Int, column: Int, words: String) throws {
        let fault = #expect(throws: BudgetFault.self) { try parse(text) }
        #expect(fault?.place.line == line && fault?.place.column == column, "\(String(describing: fault?.text))")
        #expect(fault?.text.contains(words) == true, "\(String(describing: fault?.text))")
        #expect(fault?.text.hasPrefix("limits: line \(line), column \(column): ") == true)
    }

    private let comparison = slowerInterrupts()

    private func outcomes(_ text: String) throws -> [BudgetCheck.Outcome] {
        try comparison.check(parse(text)).map(\.outcome)
    }

    @Test func `a time is held against every arm and flow of its scope`() throws {
        #expect(try outcomes("irq p99 <= 22us") == [.kept, .broken])
        #expect(try outcomes("a irq p99 <= 22us") == [.kept])
        #expect(try outcomes("end-to-end mean <= 1s") == [.kept, .kept, .kept, .kept])
        #expect(try outcomes("b tx end-to-end mean <= 1ns") == [.broken])
        #expect(
            try outcomes("irq min <= 20us") == [.kept, .broken] && outcomes("irq min < 20us") == [.broken, .broken])
    }

    @Test func `a change is held against the first arm, and broken by evidence only`() throws {
        // irq is 2 µs of 20.5 slower, which is certain.
        #expect(try outcomes("rx irq mean <= +5%") == [.broken])
        #expect(try outcomes("rx irq mean <= +15%") == [.kept])
        #expect(try outcomes("rx irq p50 <= +5%") == [.broken])
        #expect(try outcomes("tx end-to-end mean <= +0%") == [.kept])
        // To be faster has to be shown.
        #expect(try outcomes("rx irq mean <= -5%") == [.broken])
    }

    /// The second arm is 2 % slower, by less than packets differ.
    private let uncertain = Comparison(
        [Int64(20_000), 20_800].map { irq in
            let swinging = journeys(200, irq: irq).map { ["irq": irq + ($0["irq", default: irq] - irq) * 40] }
            return arm("\(irq)", [MadeFlow(journeys: swinging)])
        }, seed: 1)

    @Test func `a change that may be chance is not decided, and no failure`() throws {
        let checks = try uncertain.check(parse("irq mean <= +1%\nirq p50 <= +0%\nirq mean <= +50%"))
        #expect(checks.map(\.outcome) == [.undecided, .undecided, .kept])
        #expect(!checks.contains { $0.isFailure })
    }

    @Test func `what is not there is a failure, and a scope that names nothing an error`() throws {
        #expect(try outcomes("ovs-upcall mean <= 1s") == [.missing, .missing])
        #expect(try outcomes("macvtap irq mean <= 1s") == [.missing, .missing])
        for (text, words) in [("rxx irq mean <= 1s", "rxx is no arm"), ("a irq mean <= +5%", "a is the first arm")] {
            let fault = #expect(throws: BudgetFault.self) { try comparison.check(parse(text)) }
            #expect(fault?.text.contains(words) == true)
        }
        let alone = Comparison([arm("a", [MadeFlow(journeys: journeys(50))])], seed: 1)
        #expect(throws: BudgetFault.self) { try alone.check(parse("irq mean <= +5%")) }
        #expect(try alone.check(parse("rx irq mean <= 1s")).map(\.outcome) == [.kept])
    }
}
