// What each call of the applications did: the truth, known without any trace.

import LinuxSystem

/// Which way packets go: from side a to side b, or back.
enum Way: String, Sendable {
    case ab, ba

    var from: Side { self == .ab ? .a : .b }
    var to: Side { self == .ab ? .b : .a }
}

/// One datagram, or a piece of a stream, that a call sent or returned.
struct CallRow: Sendable {
    enum Event: String, Sendable {
        /// An application's call sent it.
        case send
        /// The kernel sent it while this call lasted: an answer to a ping.
        case kernelSend = "kernel-send"
        /// A call returned it.
        case read
    }

    var kind: String
    var event: Event
    var way: Way
    /// Which datagram; of a stream, its first byte's place.
    var sequence: Int
    /// Payload.
    var bytes: Int
    /// The first of its frames on the wire, and how many they are; -1 and 0 for a stream, whose frames nobody knows
    /// before.
    var frame = -1
    var frames = 0
    /// The length of such a frame with its Ethernet header; 0 where it is not known.
    var wire = 0
    /// CLOCK_MONOTONIC right before the call and right after it.
    var begin: Int64
    var end: Int64

    var isStream: Bool { frame < 0 && event != .read }

    static let header = "kind,event,way,sequence,bytes,frame,frames,wire,begin,end"

    var text: String {
        "\(kind),\(event.rawValue),\(way.rawValue),\(sequence),\(bytes),\(frame),\(frames),\(wire),\(begin),\(end)"
    }

    init(
        kind: String, _ event: Event, _ way: Way, sequence: Int, bytes: Int, frame: Int = -1, frames: Int = 0,
        wire: Int = 0, begin: Int64,
        end: Int64
    ) {
        self.kind = kind
        self.event = event
        self.way = way
        self.sequence = sequence
        self.bytes = bytes
        self.frame = frame
        self.frames = frames
        self.wire = wire
        self.begin = begin
        self.end = end
    }

    init?(_ line: Substring) {
        let cells = line.split(separator: ",", omittingEmptySubsequences: false)
        guard cells.count == 10, let event = Event(rawValue: String(cells[1])),
            let way = Way(rawValue: String(cells[2]))
        else { return nil }
        let numbers = cells[3...].compactMap { Int($0) }
        guard numbers.count == 7 else { return nil }
        self.init(
            kind: String(cells[0]), event, way, sequence: numbers[0], bytes: numbers[1], frame: numbers[2],
            frames: numbers[3],
            wire: numbers[4], begin: Int64(numbers[5]), end: Int64(numbers[6]))
    }
}

/// When a kind ran, or why it did not.
struct KindRow: Sendable {
    var kind: String
    var begin: Int64
    var end: Int64
    /// Empty when it ran.
    var refusal: String

    static let header = "kind,begin,end,refusal"

    var text: String { "\(kind),\(begin),\(end),\(refusal.replacing(",", with: ";"))" }

    init(kind: String, begin: Int64, end: Int64, refusal: String = "") {
        self.kind = kind
        self.begin = begin
        self.end = end
        self.refusal = refusal
    }

    init?(_ line: Substring) {
        let cells = line.split(separator: ",", maxSplits: 3, omittingEmptySubsequences: false)
        guard cells.count == 4, let begin = Int64(cells[1]), let end = Int64(cells[2]) else { return nil }
        self.init(kind: String(cells[0]), begin: begin, end: end, refusal: String(cells[3]))
    }
}
