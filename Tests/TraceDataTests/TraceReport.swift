// What `trace-cmd report -R -t` prints, line by line:
//
//            CPU 0/KVM-571   [001]    90.147154441: kvm_entry:   vcpu_id=0 rip=0xffffffff8107e916 immediate_exit=0
//     CPU:1 [138 EVENTS DROPPED]
//
// Numbers are decimal or 0x hexadecimal, as the event's print format has them.

import Glibc
import LinuxSystem

struct TraceReport {
    struct Event {
        /// ns.
        var time: Int64
        var pid: Int32
        /// Index in `names`.
        var name: Int
        /// The fields, in the report.
        var fields: Range<Int>
    }

    /// Events by CPU, in the order of the report.
    private(set) var events: [Int: [Event]] = [:]
    /// Names of events in the order they came up.
    private(set) var names: [String] = []
    /// Places where events are missing, by CPU, and the sum of those that were counted.
    private(set) var holes: [Int: Int] = [:]
    private(set) var lost: [Int: Int] = [:]
    private let text: MappedFile

    init(of path: String) throws {
        text = try TraceCommand.run(["report", "-R", "-t", "-i", path])
        var at = 0
        let bytes = text.bytes
        while at < bytes.count {
            let end =
                memchr(bytes.baseAddress! + at, 10, bytes.count - at).map { UnsafeRawPointer($0) - bytes.baseAddress! }
                ?? bytes.count
            try readLine(at, end)
            at = end + 1
        }
    }

    private var eventNumbers: [String: Int] = [:]

    private mutating func readLine(_ start: Int, _ end: Int) throws {
        let bytes = text.bytes
        guard start < end else { return }
        // An event's CPU stands in brackets, three digits.
        guard
            let bracket = (start..<end).first(where: {
                bytes[$0] == UInt8(ascii: "[") && end - $0 > 5 && bytes[$0 + 4] == UInt8(ascii: "]")
                    && isDigit(bytes[$0 + 1])
                    && isDigit(bytes[$0 + 2]) && isDigit(bytes[$0 + 3])
            })
        else { return readRemark(String(decoding: bytes[start..<end], as: UTF8.self)) }
        let cpu = number(bracket + 1).value
        var at = bracket - 1
        while bytes[at] == UInt8(ascii: " ") { at -= 1 }
        while isDigit(bytes[at]) { at -= 1 }
        let pid = number(at + 1).value
        at = bracket + 5
        while bytes[at] == UInt8(ascii: " ") { at += 1 }
        let (seconds, point) = number(at)
        let (nanoseconds, colon) = number(point + 1)
        guard bytes[point] == UInt8(ascii: "."), colon - point == 10, bytes[colon] == UInt8(ascii: ":") else {
            throw TraceCommandFailure(description: "a time in \(String(decoding: bytes[start..<end], as: UTF8.self))")
        }
        at = colon + 2
        let nameStart = at
        while at < end, bytes[at] != UInt8(ascii: ":") { at += 1 }
        let name = String(decoding: bytes[nameStart..<at], as: UTF8.self)
        if eventNumbers[name] == nil {
            eventNumbers[name] = names.count
            names.append(name)
        }
        events[cpu, default: []].append(
            // Times before 0 are printed modulo 2^64.
            Event(
                time: Int64(seconds) &* 1_000_000_000 &+ Int64(nanoseconds), pid: Int32(pid), name: eventNumbers[name]!,
                fields: at..<end)
        )
    }

    /// "CPU:1 [138 EVENTS DROPPED]", the number left out when it is not known; or "cpus=2".
    private mutating func readRemark(_ line: String) {
        guard line.hasPrefix("CPU:"), line.hasSuffix("EVENTS DROPPED]") else { return }
        let words = line.dropFirst(4).split(whereSeparator: { $0 == " " || $0 == "[" })
        guard let cpu = words.first.flatMap({ Int($0) }) else { return }
        holes[cpu, default: 0] += 1
        lost[cpu, default: 0] += Int(words[1]) ?? 0
    }

    private func isDigit(_ byte: UInt8) -> Bool { byte >= 48 && byte <= 57 }

    private func number(_ start: Int) -> (value: Int, end: Int) {
        let bytes = text.bytes
        var at = start
        var value = 0
        while at < bytes.count, isDigit(bytes[at]) {
            value = value * 10 + Int(bytes[at] - 48)
            at += 1
        }
        return (value, at)
    }

    /// Where the value of a field begins: behind " name=".
    func place(of field: String, in event: Event) -> Int? {
        var needle = " " + field + "="
        let start = text.bytes.baseAddress!
        return needle.withUTF8 { needle in
            var at = event.fields.lowerBound
            while at + needle.count <= event.fields.upperBound {
                if memcmp(start + at, needle.baseAddress!, needle.count) == 0 { return at + needle.count }
                guard let blank = memchr(start + at + 1, 32, event.fields.upperBound - at - 1) else { return nil }
                at = UnsafeRawPointer(blank) - start
            }
            return nil
        }
    }

    /// The number at a place, modulo 2^64. Numbers of 16 bits are padded with a blank.
    func number(at place: Int) -> UInt64? {
        let bytes = text.bytes
        let place = bytes[place] == UInt8(ascii: " ") ? place + 1 : place
        if bytes[place] == UInt8(ascii: "0"), bytes[place + 1] == UInt8(ascii: "x") {
            var value: UInt64 = 0
            var at = place + 2
            while let digit = hexDigit(bytes[at]) {
                value = value << 4 | digit
                at += 1
            }
            return value
        }
        let isNegative = bytes[place] == UInt8(ascii: "-")
        let start = isNegative ? place + 1 : place
        guard isDigit(bytes[start]) else { return nil }
        var value: UInt64 = 0
        var at = start
        while isDigit(bytes[at]) {
            value = value &* 10 &+ UInt64(bytes[at] - 48)
            at += 1
        }
        return isNegative ? 0 &- value : value
    }

    private func hexDigit(_ byte: UInt8) -> UInt64? {
        switch byte {
        case 48...57: UInt64(byte - 48)
        case 97...102: UInt64(byte - 87)
        default: nil
        }
    }

    /// Whether `word` stands at a place, and nothing but a blank or the end of the line behind it.
    func has(_ word: String, at place: Int) -> Bool {
        let word = Array(word.utf8)
        let end = place + word.count
        guard end <= text.bytes.count, text.bytes[place..<end].elementsEqual(word) else { return false }
        return end == text.bytes.count || text.bytes[end] == 10 || text.bytes[end] == 32
    }
}
