// virtlat analyze: the per-stage breakdown of a session.

import ArgumentParser
import Export
import Findings
import GuestClocks
import LinuxSystem
import PacketPath
import Report

struct Analyze: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print what each stage of a packet's way cost.",
        usage: "virtlat analyze [options] FOLDER\nvirtlat analyze [options] HOST.dat GUEST.dat ...",
        discussion: """
            Reads the trace.dat files of a host and its guests, puts the guests on the host's clock, follows every packet \
            on its path (virtlat paths lists them) in both directions, and prints what each stage cost. Files are told \
            apart by what they hold, not by their order; a folder's session.json, where there is one, says which files belong \
            to it and when the measurement ran, and only packets that began then are counted.

            EXAMPLES
              virtlat analyze traces/tap-steady
                  the breakdown of a recorded session, as a table

              virtlat analyze host.dat host-g3.dat --direction rx
                  only packets that go to the guest

              virtlat analyze host.dat
                  the host's own packets, between its NICs and its own applications

              virtlat analyze session --format json | jq '.flows[].stages[] | {stage, p99_ns}'
                  every stage's 99th percentile

              virtlat analyze session --packets packets.csv --since 2s --until 5s
                  one row for each packet of three seconds, beside the table

            EXIT STATUS
              0  done, also when no packet was found (the output says so)
              1  a file can't be read, the files are no session, or the clock map is contradicted
              64 wrong usage
            """)

    @Option(help: "How to print the breakdown: text, json or csv.")
    var format = Format.text

    @Option(
        help: ArgumentHelp(
            "Write one row for each packet to FILE ('-' for standard output, in place of the breakdown).",
            valueName: "file"),
        completion: .file())
    var packets: String?

    @OptionGroup var session: SessionOptions

    enum Format: String, ExpressibleByArgument, CaseIterable { case text, json, csv }

    func validate() throws {
        if packets == "-", format != .text {
            throw ValidationError(
                "--packets - and --format \(format.rawValue) both want standard output; give --packets a file.")
        }
    }

    func run() throws {
        try Failure.reported {
            let pass = try session.pass()
            let file = packets.map { JourneyFile($0, CSVExport()) }
            var progress = PassProgress()
            let findings = try SessionFindings(pass, beside: file.map { [$0] } ?? []) { progress.show($0, $1) }
            if packets != "-" { try write(findings) }
            if packets == "-" || format != .text { findings.notes.forEach { Failure.warn($0.text) } }
        }
    }

    private func write(_ findings: SessionFindings) throws {
        var output = OutputStream.standardOutput()
        switch format {
        case .text: try output.write(TextReport.text(findings, colour: Terminal.outputHasColour))
        case .json: try output.write(bytes: JSONReport.bytes(findings))
        case .csv: try output.write(CSVReport.text(findings))
        }
        try output.flush()
    }
}
