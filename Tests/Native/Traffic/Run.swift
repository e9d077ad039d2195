// native-traffic run: one kind after the other, and the log of all.

import ArgumentParser
import Glibc
import LinuxSystem

struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Send and read in these kinds, and write down which call did what.",
        discussion: """
            Needs root. Makes two network namespaces named after the process, and removes them. FOLDER gets \
            calls.csv, kinds.csv and network.csv. A kind that the kernel refuses is said, and left out.
            """)

    @Option(help: ArgumentHelp("Where the log goes; it is made.", valueName: "folder"), completion: .directory)
    var log: String

    @Option(
        help: ArgumentHelp(
            "Send when this file is there, as by a recorder's command; sockets are made and readers wait before.",
            valueName: "file"))
    var start: String?

    @Argument(help: "Kinds; all without any.")
    var kinds: [String] = []

    func validate() throws {
        for name in kinds where Kind.named(name) == nil {
            throw ValidationError("\(name) is no kind; native-traffic list has them.")
        }
    }

    func run() throws {
        try perform()
        // What comes late belongs to the recording as well.
        usleep(200_000)
    }

    private func perform() throws {
        guard mkdir(log, 0o755) == 0 || errno == EEXIST else {
            throw Failure("\(log): \(SystemError(call: "mkdir").text)")
        }
        let network = try described { try Network(start: start) }
        var calls: [CallRow] = []
        var spans: [KindRow] = []
        // Whatever setting up left behind is not the first kind's.
        usleep(200_000)
        for (index, kind) in (kinds.isEmpty ? Kind.all : kinds.compactMap(Kind.named)).enumerated() {
            let (span, rows) = try perform(kind, network, port: 10_000 + UInt16(index) * 100)
            spans.append(span)
            calls += rows
        }
        try write(spans.map(\.text), KindRow.header, to: "kinds.csv")
        try write(calls.map(\.text), CallRow.header, to: "calls.csv")
        try write(Side.allCases.map { "\($0.rawValue),\(network.device($0))" }, "side,device", to: "network.csv")
    }

    private func perform(_ kind: Kind, _ network: Network, port: UInt16) throws -> (KindRow, [CallRow]) {
        let begin = monotonicNanoseconds()
        do {
            let bench = Bench(kind.name, network, port: port)
            try kind.run(bench)
            usleep(20_000)
            return (KindRow(kind: kind.name, begin: begin, end: monotonicNanoseconds()), bench.rows)
        } catch let refusal as Refusal {
            print("\(kind.name): LEFT OUT, this kernel refuses: \(refusal)")
            return (KindRow(kind: kind.name, begin: begin, end: begin, refusal: refusal.description), [])
        } catch let error as SystemError {
            throw Failure("\(kind.name): \(error.call): \(error.text)")
        }
    }

    private func described<Result>(_ body: () throws -> Result) throws -> Result {
        do { return try body() } catch let error as SystemError { throw Failure("\(error.call): \(error.text)") }
    }

    private func write(_ rows: [String], _ header: String, to name: String) throws {
        do throws(SystemError) {
            var file = try OutputFile(path: "\(log)/\(name)")
            try file.stream.write(header + "\n")
            for row in rows { try file.stream.write(row + "\n") }
            try file.commit()
        } catch {
            throw Failure("\(log)/\(name): \(error.call): \(error.text)")
        }
    }
}
