// Whatever names hold, nothing that a terminal obeys leaves the program.

import Foundation
import TestSupport
import Testing

@Suite struct TerminalTests {
    /// Clears the screen, sets the title, C1's CSI, a line of its own, a bell, and writing from right to left.
    private static let hostile = "e\u{1b}[2J\u{9b}31m\n\u{7}\u{202e}\u{7f}\"x,"

    /// One packet that a device with such a name brings, on a host with such a name, and that is dropped for such a
    /// reason.
    private func recording() throws -> TemporaryFolder {
        let trace = TraceBuilder()
        let receive = trace.event("net", "netif_receive_skb", [.pointer("skbaddr"), .u32("len"), .string("name")])
        let drop = trace.event(
            "skb", "kfree_skb", [.pointer("skbaddr"), .u32("reason"), .u16("protocol")],
            printFormat: "\"%s\", __print_symbolic(REC->reason, { 2, \"NOT\u{1b}[2J\" })")
        let switched = trace.event("sched", "sched_switch", [.s64("prev_state"), .s32("next_pid")])
        trace.cpu(0).add(switched, at: 900, pid: 0, ["next_pid": 7])
        trace.uname("Linux \(Self.hostile.replacing("\n", with: "")) 6.1.0\u{1b}[31m x86_64")
        trace.commandLines = [7: "th\u{1b}[1mread"]
        for n in 0..<3 {
            trace.cpu(0).add(
                receive, at: UInt64(1000 + 100 * n), pid: 7, flags: 0x10,
                ["skbaddr": .of(0x10000 + 256 * n), "len": 92, "name": .text(Self.hostile)])
            trace.cpu(0).add(
                drop, at: UInt64(1050 + 100 * n), pid: 7, flags: 0x10,
                ["skbaddr": .of(0x10000 + 256 * n), "reason": 2, "protocol": 0x800])
        }
        let folder = try TemporaryFolder()
        trace.write(to: folder.path + "/h\u{1b}[2J.dat")
        return folder
    }

    private func expectFit(_ text: String, _ what: String) {
        let unfit = text.unicodeScalars.filter {
            $0.value < 0x20 && $0 != "\n" || (0x7f..<0xa0).contains($0.value) || (0x202a...0x202e).contains($0.value)
        }
        #expect(unfit.isEmpty, "\(what): \(text.debugDescription)")
    }

    @Test(arguments: ["text", "csv", "json", "packets", "compare", "clock", "explain"])
    func `names do not reach a terminal as they are`(form: String) async throws {
        let folder = try recording()
        defer { folder.remove() }
        let file = folder.path + "/h\u{1b}[2J.dat"
        let arguments =
            switch form {
            case "packets": ["analyze", file, "--packets", folder.path + "/p.csv"]
            case "compare": ["compare", file, file]
            case "clock": ["clock", file]
            case "explain": ["explain", file]
            default: ["analyze", file, "--format", form]
            }
        let run = try await Command.virtlat(arguments)
        expectFit(run.output, form)
        expectFit(run.errors, form)
        if form == "packets" { expectFit(try String(contentsOfFile: folder.path + "/p.csv", encoding: .utf8), form) }
        if form == "json" { _ = try JSONSerialization.jsonObject(with: Data(run.output.utf8)) }
        // What it was is still to be seen.
        if form == "text" {
            #expect(run.output.contains("e\\u001b[2J\\u009b31m\\u000a\\u0007\\u202e\\u007f"), "\(run.output)")
            #expect(run.output.contains("NOT\\u001b[2J"))
        }
    }

    /// On a terminal the program has codes of its own; what a name holds does not pass for one of them.
    @Test(arguments: ["analyze", "clock", "compare", "explain"])
    func `on a terminal a file's name is neither emphasis that hides nor a line that is written over`(verb: String)
        async throws
    {
        try Command.path(of: "script", package: "bsdutils")
        let folder = try recording()
        defer { folder.remove() }
        let file = folder.path + "/h\u{1b}[8m\r\u{1b}[K\u{1b}[1;31m.dat"
        try FileManager.default.moveItem(atPath: folder.path + "/h\u{1b}[2J.dat", toPath: file)
        for name in [file, file + "\u{1b}[8m.is-not-there"] {
            // The name goes by the environment, as script(1) has a shell take its command apart.
            let run = try await Command.shell(
                "export NAME=\"$1\" WORD=\"$2\"; script -qec '\"$VIRTLAT\" \"$WORD\" \"$NAME\" \"$NAME\"' /dev/null",
                name, verb)
            #expect(run.output.contains("h\\u001b[8m\\u000d\\u001b[K\\u001b[1;31m"), "\(run.output.debugDescription)")
            // The terminal ends lines so; emphasis and, on a slow machine, a line of progress are the program's own.
            var rest = run.output.replacing("\r\n", with: "\n")
            for own in ["\u{1b}[1m", "\u{1b}[0m", "\u{1b}[K", "\r"] { rest = rest.replacing(own, with: "") }
            expectFit(rest, verb)
        }
    }

    @Test func `a file's name in an error is fit to be shown`() async throws {
        let run = try await Command.virtlat(["analyze", "/nowhere/\u{1b}]0;own\u{7}\u{9b}2J.dat"])
        #expect(run.status == 1)
        expectFit(run.errors, "error")
        #expect(run.errors.contains("/nowhere/\\u001b]0;own\\u0007\\u009b2J.dat"))
    }
}
