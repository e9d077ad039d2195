// A guest's trace, read by a process that can do nothing else: what a guest sends is not taken apart by root.

import CLinux
import ClockSync
import Glibc
import LinuxSystem
import Sessions
import TraceData

package enum ConfinedScan {
    /// What that process is asked, as words of a command line: numbers of markers, its own threads, events.
    package struct Request: Sendable {
        package var markers: Range<UInt32>
        package var threads: [Int32]
        package var events: [String]

        package init(markers: Range<UInt32>, threads: [Int32], events: [String]) {
            self.markers = markers
            // A guest may say anything.
            self.threads = threads.filter { $0 > 0 }
            self.events = events
        }

        var words: [String] {
            [String(markers.lowerBound), String(markers.upperBound), threads.map { String($0) }.joined(separator: ",")]
                + events
        }
    }

    enum Fault: Error {
        /// It says what is wrong with the file.
        case file(String)
        /// It has ended otherwise: by a limit, or by a fault of ours.
        case ended(status: Int32)
    }

    /// Bytes of private memory, and CPU time besides what the file's size takes.
    private static let mostMemory: UInt64 = 512 << 20
    private static let leastTime: UInt64 = 60
    private static let bytesInASecond: UInt64 = 8 << 20
    /// Two lines for each probe, and some more.
    private static let mostOutput = 1 << 20

    // MARK: In the recorder

    /// Has a file of a session read.
    /// - Parameter program: a virtlat.
    /// - Throws: `Fault`, or `SystemError` where there is no such process.
    static func read(_ path: String, _ request: Request, by program: String) throws -> TraceScan {
        let file = try InputFile.open(path)
        defer { close(file) }
        let answer = unsafe clinux_memory_file("virtlat-scan")
        guard answer >= 0 else { throw SystemError(call: "memfd_create") }
        defer { close(answer) }
        let child = try Child([program, "scan", "--"] + request.words, descriptors: [(0, file), (1, answer)])
        let status = child.wait()
        return try parsed(try text(answer), status, request.markers)
    }

    private static func text(_ descriptor: Int32) throws(SystemError) -> String {
        var bytes = [UInt8](repeating: 0, count: mostOutput)
        let count = unsafe pread(descriptor, &bytes, bytes.count, 0)
        guard count >= 0 else { throw SystemError(call: "pread") }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    /// What it says is not believed either: it may have been taken over by what it reads.
    private static func parsed(_ text: String, _ status: Int32, _ markers: Range<UInt32>) throws(Fault) -> TraceScan {
        var lines = text.split(separator: "\n")
        if status == 1, let line = lines.last { throw .file(String(line).printable) }
        guard status == 0, lines.popLast() == "end" else { throw .ended(status: status) }
        var scan = TraceScan()
        for line in lines {
            let words = line.split(separator: " ")
            guard let number = words.last.flatMap({ UInt64($0) }) else { throw .ended(status: status) }
            switch (words.count, words[0]) {
            case (2, "events"): scan.allEvents = Int(clamping: number)
            case (2, "own"): scan.ownEvents = Int(clamping: number)
            case (2, "lost"): scan.lost = Int(clamping: number)
            case (3, let kind):
                guard let kind = UInt32(kind).flatMap(Marker.Kind.init), let marker = UInt32(words[1]),
                    markers.contains(marker)
                else {
                    throw .ended(status: status)
                }
                scan.markers[kind, default: [:]][marker] = number
            default: throw .ended(status: status)
            }
        }
        return scan
    }

    // MARK: In that process

    /// Reads the file that is its standard input, and says on its standard output what is in it.
    /// - Returns: its exit status.
    package static func run(_ request: Request) -> Int32 {
        var output = OutputStream.standardOutput()
        var status: Int32 = 0
        do {
            let mapping = try MappedFile(descriptor: STDIN_FILENO, path: "its trace")
            try confine(size: UInt64(mapping.bytes.count))
            let scan = try TraceScan(try TraceFile(mapping), events: request.events, threads: Set(request.threads))
            try output.write("events \(scan.allEvents)\nown \(scan.ownEvents)\nlost \(max(0, scan.lost))\n")
            for (kind, times) in scan.markers {
                for (number, time) in times where request.markers.contains(number) {
                    try output.write("\(kind.rawValue) \(number) \(time)\n")
                }
            }
            try output.write("end\n")
        } catch {
            try? output.write(FaultText.of(error).printable.prefix(1000) + "\n")
            status = 1
        }
        do { try output.flush() } catch { status = 2 }
        return status
    }

    /// From here on it reads what is mapped, computes, and writes to what is open.
    private static func confine(size: UInt64) throws(SystemError) {
        try Limit.memory.set(mostMemory)
        try Limit.processorTime.set(leastTime + size / bytesInASecond)
        try Limit.fileSize.set(UInt64(mostOutput))
        if geteuid() == 0 { try Rights.becomeNobody() }
        try Rights.forbidNew()
        // Where the architecture has no such filter, nobody has no rights either.
        try? Rights.denySystemCalls()
    }
}
