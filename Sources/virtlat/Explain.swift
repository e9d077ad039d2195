// virtlat explain: why some packets were slow, as far as the stages tell.

import ArgumentParser
import Findings
import LinuxSystem
import PacketPath
import Report

struct Explain: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tell what the slowest packets of a session have over the others.",
        usage: "virtlat explain [options] FOLDER\nvirtlat explain [options] HOST.dat GUEST.dat ...",
        discussion: """
            Reads a session as virtlat analyze does, and looks at the slowest hundredth of each flow's packets, with the others as their \
            control group.

            Of each stage it says what it usually takes (the median of all) and takes in slow packets, its share of the time of all packets, \
            its share of the excess (what slow packets took more than usual, all together), with a 95 % interval between bursts of slow \
            packets, and the lift: how many times the one share is the other. A stage with a large share and a lift of 1 costs everybody; \
            one with a small share and a large lift makes packets slow.

            "when" says where slow packets do not lie among the others as chance would have it: at the start, in bursts, at equal distances. \
            "shared" says what is so of more slow packets than chance would make it: how the interrupt came, what the vCPU was doing, queue, length. \
            Nothing is said that is more likely than 1 in 100 by chance.

            EXAMPLES
              virtlat explain traces/tap-burst
                  the slowest 1 % of each flow

              virtlat explain session --direction rx --above 5ms
                  packets to the guest that took more than 5 ms

              virtlat explain session --stage kvm-wakeup --above p99.9
                  packets whose vCPU was longest in waking up

              virtlat explain session --packet 1234
                  one packet, stage by stage, beside what is usual

              virtlat explain session --format json | jq '.flows[].stages[] | select(.lift > 2)'
                  stages that make packets slow

            EXIT STATUS
              0  done, also when no packet is slow
              1  a file can't be read, the files are no session, or there is no such packet or stage
              64 wrong usage
            """)

    @Option(help: "How to print the explanation: text, json or csv.")
    var format = Analyze.Format.text

    @Option(
        help: ArgumentHelp(
            "Slow is what took longer than this: a percentile of each flow's packets (p99), or a time (5ms).",
            valueName: "limit"))
    var above = SlowLimit(limit: .percentile(99), description: "p99")

    @Option(
        help: ArgumentHelp(
            "Slow is who spent long in this stage (virtlat paths NAME lists them).", valueName: "stage"))
    var stage: String?

    @Option(help: ArgumentHelp("Only this packet, stage by stage, by its number.", valueName: "number"))
    var packet: Int?

    @Option(help: ArgumentHelp("So many of the slowest packets are listed of each flow.", valueName: "number"))
    var worst = 5

    @Option(help: ArgumentHelp("What random draws begin with.", valueName: "number"))
    var seed: UInt64 = ComparisonRun.defaultSeed

    @OptionGroup var session: SessionOptions

    func validate() throws {
        if worst < 0 { throw ValidationError("--worst \(worst): so many packets can't be listed.") }
        if let packet, packet < 1 { throw ValidationError("--packet \(packet): packets are counted from 1.") }
    }

    func run() throws {
        try Failure.reported {
            let pass = try session.pass()
            var progress = PassProgress()
            let question = TailQuestion(limit: above.limit, stage: stage, packet: packet)
            let explanation = try Explanation(pass, question, seed: seed) { progress.show($0, $1) }
            try write(explanation)
            if format != .text { explanation.findings.notes.forEach { Failure.warn($0.text) } }
        }
    }

    private func write(_ explanation: Explanation) throws {
        var output = OutputStream.standardOutput()
        switch format {
        case .text:
            try output.write(ExplainText.text(explanation, worst: worst, colour: Terminal.outputHasColour))
        case .json: try output.write(bytes: ExplainJSON.bytes(explanation, worst: worst))
        case .csv: try output.write(ExplainCSV.text(explanation))
        }
        try output.flush()
    }
}

/// "p99", "p99.9", "5ms".
struct SlowLimit: ExpressibleByArgument, CustomStringConvertible {
    var limit: TailQuestion.Limit
    let description: String

    init(limit: TailQuestion.Limit, description: String) {
        self.limit = limit
        self.description = description
    }

    init?(argument: String) {
        if argument.hasPrefix("p") {
            guard let percent = Double(argument.dropFirst()), percent > 0, percent < 100 else { return nil }
            limit = .percentile(percent)
        } else {
            guard let time = Duration(argument: argument) else { return nil }
            limit = .time(time.nanoseconds)
        }
        description = argument
    }

    var defaultValueDescription: String { description }
}

extension TailFault {
    var text: String {
        switch self {
        case .noPacket(let number):
            "no complete packet has the number \(number), or the filters leave it out; virtlat explain lists the slowest with theirs"
        case .noStage(let name, let names): "no flow has a stage \(name); there are \(names.joined(separator: ", "))"
        case .tooMany(let limit): "more than \(limit) packets of one flow are slow by this measure; raise --above"
        }
    }
}
