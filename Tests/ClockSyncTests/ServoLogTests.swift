// Logs of ptp4l and phc2sys, as they write them.

import ClockSync
import Testing

private let s: Nanoseconds = 1_000_000_000

/// Times of a log in seconds, as a range.
private func seconds(_ from: Double, _ to: Double) -> ClosedRange<Nanoseconds> {
    Nanoseconds((from * 1000).rounded()) * 1_000_000...Nanoseconds((to * 1000).rounded()) * 1_000_000
}

@Suite struct ServoLogTests {
    // MARK: Lines

    @Test func `phc2sys in a guest, from its first report to the locked state`() throws {
        // linuxptp 3.1.1: phc2sys -s /dev/ptp0 -c CLOCK_REALTIME -O 0 -m, with ptp_kvm.
        let log = ServoLog(
            """
            phc2sys[103.565]: failed to adjust the clock: Operation not supported
            phc2sys[103.568]: clock is not adjustable
            phc2sys[104.586]: CLOCK_REALTIME phc offset 267025440 s0 freq      +0 delay      0
            phc2sys[105.606]: CLOCK_REALTIME phc offset 267025385 s1 freq     -55 delay      0
            phc2sys[106.611]: CLOCK_REALTIME phc offset         1 s2 freq     -54 delay      0
            phc2sys[107.614]: CLOCK_REALTIME phc offset         6 s2 freq     -48 delay      0

            """)
        #expect(log.reports.map(\.offset) == [267_025_440, 267_025_385, 1, 6])
        #expect(log.reports.map(\.state) == [.unlocked, .jump, .locked, .locked])
        #expect(log.reports.map(\.frequency) == [0, -55, -54, -48])
        #expect(log.reports.map(\.time) == [104_586_000_000, 105_606_000_000, 106_611_000_000, 107_614_000_000])
        #expect(log.reports.allSatisfy { $0.pathDelay == 0 && $0.rms == nil })
        let source = try #require(log.sources.first)
        #expect(log.sources.count == 1 && source.program == "phc2sys" && source.clock == "CLOCK_REALTIME")
        #expect(log.unknownLines == 2)
    }

    @Test func `ptp4l's summaries and ports of 4.2 are read, under whatever name it was started`() {
        let log = ServoLog(ServoLogTests.summaries)
        #expect(log.reports.count == 6)
        #expect(log.reports[0].rms == 20_244_568 && log.reports[0].offset == 29_683_198)
        #expect(log.reports[0].frequency == 100_000_000 && log.reports[0].pathDelay == 10_509_259)
        #expect(log.reports.allSatisfy { $0.state == nil })
        #expect(log.sources.map(\.program) == ["ptp4l.4.2"] && log.sources[0].clock == "")
        // The sync without a timestamp.
        #expect(log.unknownLines == 1)
    }

    @Test(arguments: [
        (
            "ptp4l[411.685]: [config.cfg:0] master offset   -12 s2 freq  +3456 path delay   789", "ptp4l",
            "[config.cfg:0]"
        ),
        ("Nov 22 23:57:36 kvm1 ptp4l: [411.685] master offset   -12 s2 freq  +3456 path delay   789", "ptp4l", ""),
        (
            "Nov 22 23:57:36 kvm1 ptp4l[511]: [411.685] master offset   -12 s3 freq  +3456 path delay   789\r", "ptp4l",
            ""
        ),
        (
            "Nov 22 23:57:36 kvm1 sh[511]: ptp4l[411.685]: master offset   -12 s2 freq  +3456 path delay   789",
            "ptp4l", ""
        ),
        ("[ 2211.044556] kvm1 ptp4l[511]: [411.685] master offset   -12 s2 freq  +3456 path delay   789", "ptp4l", ""),
        (
            "2026-11-22T23:57:36+0000 h phc2sys[9]: [411.685] CLOCK_REALTIME sys offset -12 s2 freq +3456 delay 789",
            "phc2sys",
            "CLOCK_REALTIME"
        ),
        ("phc2sys[411.685]: eth0 sys offset       -12 s2 freq   +3456 delay    789", "phc2sys", "eth0"),
        ("phc2sys[411.685]: CLOCK_REALTIME pps offset       -12 s2 freq   +3456", "phc2sys", "CLOCK_REALTIME"),
        ("ts2phc[411.685]: eth0 master offset        -12 s2 freq   +3456", "ts2phc", "eth0"),
        ("ts2phc[411.685]: /dev/ptp1 offset        -12 s2 freq   +3456", "ts2phc", "/dev/ptp1"),
    ])
    func `a report is found behind what syslog, the journal and tags put before it`(
        line: String, program: String, clock: String
    ) throws {
        let log = ServoLog(line)
        let report = try #require(log.reports.first)
        #expect(report.time == 411_685_000_000 && report.offset == -12 && report.frequency == 3456)
        #expect(report.pathDelay == (line.contains("delay") ? 789 : nil))
        #expect(log.sources[0].program == program && log.sources[0].clock == clock)
        #expect(log.unknownLines == 0)
    }

    @Test(arguments: [
        "", "[", "]", "[]", "[.]:", "ptp4l[]: master offset 1 s2 freq 1",
        "ptp4l[1.2]: master offset 1 s2 freq 1 path delay 1",
        "ptp4l[1.234] master offset 1 s2 freq 1 path delay 1", "[1.234] master offset 1 s2 freq 1 path delay 1",
        "ptp4l[99999999999.000]: master offset 1 s2 freq 1", "ptp4l[9000000000.000]: master offset 1 s2 freq 1",
        "ptp4l[1.234]: master offset 9223372036854775808 s2 freq 1 path delay 1",
        "ptp4l[1.234]: master offset -9223372036854775808 s2 freq 1 path delay 1",
        "ptp4l[1.234]: master offset 1 s4 freq 1 path delay 1", "ptp4l[1.234]: master offset 1 s2",
        "ptp4l[1.234]: master offset",
        "ptp4l[1.234]: master offset 1 s2 freq 1 path delay",
        "ptp4l[1.234]: master offset 1 s2 freq 1 path delay 1 and more",
        "ptp4l[1.234]: rms nan max inf freq +0 +/- 0", "ptp4l[1.234]: rms -1 max 1 freq +0 +/- 0",
        "ptp4l[1.234]: rms 1 max 1 freq +0 +/-",
        "ts2phc[1.234]: eth0 offset 12", "ptp4l[1.234]: port 1: SLAVE to", "ptp4l[1.234]: port x: SLAVE to MASTER on Y",
        "ptp4l[1.234]: port 99999999: SLAVE to MASTER on Y", "ptp4l[+1.234]: master offset 1 s2 freq 1",
        "\u{0}\u{1}\u{2}",
        "ptp4l[1.234]: UTC-TAI offset not set in system! Trying to revert to UTC",
    ])
    func `what is not quite a report is counted, not guessed at`(line: String) {
        let log = ServoLog(line)
        #expect(log.reports.isEmpty && log.unknownLines == (line.isEmpty ? 0 : 1))
    }

    @Test func `huge lines, endless clocks and random bytes neither crash nor fill memory`() {
        let huge = String(repeating: "ptp4l[", count: 1 << 16) + "1.234]: master offset 1 s2 freq 1 path delay 1"
        #expect(ServoLog(huge) == ServoLog("\(huge.prefix(3000))"))
        let many = ServoLog(
            (0..<1000).map { "phc2sys[\($0).000]: eth\($0) sys offset 1 s2 freq 1 delay 1" }.joined(separator: "\n"))
        #expect(many.sources.count == 64 && many.droppedReports == 936)
        var generator = Chance(seed: 7)
        let pieces = [
            "ptp4l[", "1.234", "]", ":", " ", "offset", "9223372036854775807", "s2", "freq", "\n", "rms", "max", "+/-",
            "port 1", "to",
            "on",
        ]
        for _ in 0..<300 {
            let log = ServoLog((0..<60).map { _ in pieces.randomElement(using: &generator)! }.joined())
            _ = log.judgement(during: .min...(.max))
        }
    }

    @Test func `extreme numbers are judged without overflow`() {
        let log = ServoLog(
            """
            phc2sys[0.000]: a sys offset 9223372036854775807 s2 freq 1 delay 1
            phc2sys[8999999999.999]: a sys offset -9223372036854775807 s2 freq 1 delay 1
            phc2sys[8999999999.999]: b sys offset -9223372036854775807 s2 freq 1 delay 1
            phc2sys[3.000]: b sys offset -9223372036854775807 s2 freq 1 delay 1
            """)
        #expect(log.restarts == 1)
        #expect(log.judgement(during: .min...(.max)).error == .max)
        #expect(log.judgement(during: .min...(.max)).shifted(by: .max).error == .max)
        #expect(log.judgement(during: 0...0).reports == 1)
    }

    // MARK: Judgements

    @Test func `the stated error is the largest offset of the locked state, and the time before it a swing`() {
        let log = ServoLog(ServoLogTests.start)
        let all = log.judgement(during: seconds(104.586, 112.638))
        #expect(all.error == 9 && all.reports == 9)
        // From the first report, whose time before is unknown, to the first locked one.
        #expect(all.swings == [seconds(104.586, 106.611)] && all.gaps.isEmpty)
        let later = log.judgement(during: seconds(107, 112))
        #expect(later.error == 9 && later.swings.isEmpty && later.gaps.isEmpty && later.reports == 5)
    }

    @Test func `the reports next to a short stretch tell of it`() {
        let log = ServoLog(ServoLogTests.start)
        let short = log.judgement(during: seconds(108.7, 108.8))
        #expect(short.error == 9 && short.reports == 0 && short.gaps.isEmpty)
        // Before 106.611 the clock was still to be stepped: right up to that report it is a swing.
        #expect(log.judgement(during: seconds(106.0, 106.1)).swings == [seconds(106.0, 106.1)])
    }

    @Test func `an offset far from the usual is a swing, from the report before it to the next one`() {
        // The guest was held up for four seconds.
        let log = ServoLog(
            ServoLogTests.start + """
                phc2sys[113.642]: CLOCK_REALTIME phc offset         2 s2 freq     -55 delay      0
                phc2sys[114.644]: CLOCK_REALTIME phc offset         5 s2 freq     -52 delay      0
                phc2sys[115.671]: CLOCK_REALTIME phc offset         2 s2 freq     -53 delay      0
                phc2sys[120.018]: CLOCK_REALTIME phc offset      -184 s2 freq    -239 delay      0
                phc2sys[121.021]: CLOCK_REALTIME phc offset       118 s2 freq      +8 delay      0
                phc2sys[122.040]: CLOCK_REALTIME phc offset        60 s2 freq     -14 delay      0
                """)
        let judgement = log.judgement(during: seconds(108, 122))
        #expect(judgement.error == 184)
        #expect(judgement.swings == [seconds(115.671, 121.021)])
        #expect(judgement.gaps.isEmpty)
        // Clipped to the stretch.
        #expect(log.judgement(during: seconds(108, 117)).swings == [seconds(115.671, 117)])
        #expect(log.judgement(during: seconds(108, 115)).swings.isEmpty)
    }

    @Test func `a time without reports is a gap, not good`() {
        let log = ServoLog(
            ServoLogTests.start + "phc2sys[130.000]: CLOCK_REALTIME phc offset         2 s2 freq     -55 delay      0\n"
        )
        #expect(log.judgement(during: seconds(110, 131)).gaps == [seconds(112.638, 130)])
        #expect(log.judgement(during: seconds(115, 120)).gaps == [seconds(115, 120)])
        #expect(log.judgement(during: seconds(115, 120)).error == nil)
        // Before the log begins and after it ends.
        #expect(log.judgement(during: seconds(90, 110)).gaps == [seconds(90, 104.586)])
        #expect(log.judgement(during: seconds(131, 200)).gaps == [seconds(131, 200)])
        #expect(log.judgement(during: seconds(131, 133)).gaps.isEmpty)
        #expect(log.judgement(during: seconds(131, 133)).error == 2)
    }

    @Test func `an empty log says nothing, and one report alone not much more`() {
        let nothing = ServoLog("").judgement(during: 0...s)
        #expect(nothing.error == nil && nothing.gaps == [0...s] && nothing.reports == 0)
        let one = ServoLog("phc2sys[0.500]: CLOCK_REALTIME phc offset 2 s2 freq -55 delay 0").judgement(during: 0...s)
        #expect(one.error == 2 && one.gaps == [0...s] && one.reports == 1)
    }

    @Test func `summaries before a port is slave are of an unlocked servo`() {
        let log = ServoLog(ServoLogTests.summaries)
        let judgement = log.judgement(during: seconds(657, 696))
        // Of the three since 672.205, not of the 29 ms before.
        #expect(judgement.error == 6_719_119)
        #expect(judgement.swings == [seconds(657, 675.205)])
        #expect(log.judgement(during: seconds(680, 690)).swings.isEmpty)
    }

    @Test func `a lost master is a swing until a port is slave again`() {
        let log = ServoLog(
            """
            ptp4l[10.000]: master offset 10 s2 freq +1 path delay 900
            ptp4l[11.000]: master offset -12 s2 freq +1 path delay 900
            ptp4l[11.400]: port 2: LISTENING to MASTER on ANNOUNCE_RECEIPT_TIMEOUT_EXPIRES
            ptp4l[12.000]: master offset 9 s2 freq +1 path delay 900
            ptp4l[12.100]: port 1: SLAVE to FAULTY on FAULT_DETECTED (FT_UNSPECIFIED)
            ptp4l[14.200]: port 1 (eth0): UNCALIBRATED to SLAVE on MASTER_CLOCK_SELECTED
            ptp4l[15.000]: master offset 9 s2 freq +1 path delay 900
            ptp4l[16.000]: master offset 9 s2 freq +1 path delay 900
            """)
        #expect(log.unknownLines == 0)
        #expect(log.judgement(during: seconds(10, 16)).swings == [seconds(12.1, 14.2)])
        #expect(log.judgement(during: seconds(10, 12)).swings.isEmpty)
    }

    @Test func `a clock that somebody else moved is a swing`() {
        let log = ServoLog(
            """
            phc2sys[10.000]: CLOCK_REALTIME phc offset 10 s2 freq +1 delay 900
            phc2sys[11.000]: clockcheck: clock jumped forward or running faster than expected!
            phc2sys[11.000]: CLOCK_REALTIME phc offset 10 s2 freq +1 delay 900
            phc2sys[12.000]: CLOCK_REALTIME phc offset 10 s2 freq +1 delay 900
            phc2sys[13.000]: CLOCK_REALTIME phc offset 10 s2 freq +1 delay 900
            """)
        #expect(log.judgement(during: seconds(10, 13)).swings == [seconds(11, 12)])
    }

    @Test func `ptp4l and phc2sys in one log are a chain, and their errors add up`() {
        let log = ServoLog(
            (10..<30).map {
                """
                ptp4l[\($0).000]: master offset \($0 % 2 == 0 ? 300 : -310) s2 freq +1 path delay 900
                phc2sys[\($0).004]: CLOCK_REALTIME phc offset \($0 % 2 == 0 ? -20 : 25) s2 freq +1 delay 900

                """
            }.joined())
        let judgement = log.judgement(during: seconds(12, 28))
        #expect(log.sources.count == 2 && judgement.error == 335 && judgement.swings.isEmpty && judgement.gaps.isEmpty)
        #expect(judgement.reports == 33)
    }

    @Test func `two machines' logs are brought to one clock before they are chained`() {
        let guest = ServoLog(ServoLogTests.start).judgement(during: seconds(104.586, 112)).shifted(by: 1000 * s)
        let host = ServoLog.Judgement(error: 40, swings: [seconds(1106, 1107)], gaps: [seconds(1109, 1110)], reports: 3)
        let chain = guest.chained(with: host)
        #expect(chain.error == 49 && chain.swings == [seconds(1104.586, 1107)] && chain.gaps == [seconds(1109, 1110)])
        #expect(guest.chained(with: .init(error: nil, reports: 0)).error == nil)
    }

    // MARK: Excerpts of real logs

    private static let start = """
        phc2sys[104.586]: CLOCK_REALTIME phc offset 267025440 s0 freq      +0 delay      0
        phc2sys[105.606]: CLOCK_REALTIME phc offset 267025385 s1 freq     -55 delay      0
        phc2sys[106.611]: CLOCK_REALTIME phc offset         1 s2 freq     -54 delay      0
        phc2sys[107.614]: CLOCK_REALTIME phc offset         6 s2 freq     -48 delay      0
        phc2sys[108.619]: CLOCK_REALTIME phc offset        -9 s2 freq     -61 delay      0
        phc2sys[109.622]: CLOCK_REALTIME phc offset        -6 s2 freq     -61 delay      0
        phc2sys[110.625]: CLOCK_REALTIME phc offset        -3 s2 freq     -60 delay      0
        phc2sys[111.634]: CLOCK_REALTIME phc offset         0 s2 freq     -58 delay      0
        phc2sys[112.638]: CLOCK_REALTIME phc offset         2 s2 freq     -56 delay      0

        """

    /// linuxptp 4.2: ptp4l -i eth0 -2 -S -s -m --summary_interval 2, software timestamps in an emulated guest.
    private static let summaries = """
        ptp4l.4.2[646.683]: port 1 (eth0): INITIALIZING to LISTENING on INIT_COMPLETE
        ptp4l.4.2[646.693]: port 0 (/var/run/ptp4l): INITIALIZING to LISTENING on INIT_COMPLETE
        ptp4l.4.2[646.701]: port 1 (eth0): received SYNC without timestamp
        ptp4l.4.2[648.657]: port 1 (eth0): new foreign master 66ce50.fffe.2ba4b7-1
        ptp4l.4.2[652.659]: selected best master clock 66ce50.fffe.2ba4b7
        ptp4l.4.2[652.663]: foreign master not using PTP timescale
        ptp4l.4.2[652.667]: port 1 (eth0): LISTENING to UNCALIBRATED on RS_SLAVE
        ptp4l.4.2[657.683]: rms 20244568 max 29683198 freq +100000000 +/-   0 delay 10509259 +/- 10040199
        ptp4l.4.2[667.173]: rms 6582417 max 12301434 freq +100000000 +/-   0 delay 2360319 +/- 432858
        ptp4l.4.2[671.205]: rms 2525589 max 3529767 freq +100000000 +/-   0 delay 3110630 +/- 224954
        ptp4l.4.2[672.205]: port 1 (eth0): UNCALIBRATED to SLAVE on MASTER_CLOCK_SELECTED
        ptp4l.4.2[675.205]: rms 3938222 max 6719119 freq +99862054 +/- 138775 delay 3575156 +/- 305460
        ptp4l.4.2[679.216]: rms 3663284 max 5467795 freq +99750349 +/- 253042 delay 3091536 +/- 354883
        ptp4l.4.2[683.218]: rms 2811658 max 4118381 freq +99827618 +/- 115619 delay 2477547 +/- 469346
        """
}
