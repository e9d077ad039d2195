// Damages files, and looks at what reading them does.

import ClockSync
import Glibc
import Statistics
import TestSupport
import Testing
import TraceData

/// One file that is damaged in place, looked at and repaired, thousands of times.
///
/// When a damaged file ends the test process, it stays behind as it was: its path stands in the last line of the test's
/// output.
final class DamagedFile {
    let path = temporaryPath("damaged.dat")
    let name: String
    private let original: [UInt8]
    private let descriptor: Int32
    private let regions: [Range<Int>]
    private var random: SplitMix64

    /// - Parameter regions: where damage is wanted, each as often as the others; all of the file when left out.
    init(_ name: String, _ bytes: [UInt8], seed: UInt64, regions: [Range<Int>] = []) {
        self.name = name
        original = bytes
        self.regions = regions.isEmpty ? [0..<bytes.count] : regions.filter { !$0.isEmpty }
        // Another seed in the environment goes elsewhere.
        random = SplitMix64(
            seed: seed &+ (getenv("VIRTLAT_TEST_SEED").flatMap { UInt64(String(cString: $0)) } ?? 0) &* 1000)
        bytes.write(to: path)
        descriptor = open(path, O_RDWR | O_CLOEXEC)
        precondition(descriptor >= 0)
        print("\(name) of \(bytes.count) bytes, damaged in \(path)")
    }

    deinit {
        close(descriptor)
        unlink(path)
    }

    private func write(_ bytes: some Collection<UInt8>, at offset: Int) {
        let bytes = Array(bytes)
        precondition(pwrite(descriptor, bytes, bytes.count, off_t(offset)) == bytes.count)
    }

    private func position() -> Int {
        Int.random(in: regions[Int.random(in: 0..<regions.count, using: &random)], using: &random)
    }

    /// Cuts the file at `count` places, from its end on.
    func truncate(_ count: Int, _ tally: inout Tally) {
        var sizes: Set<Int> = []
        while sizes.count < count { sizes.insert(position()) }
        cut(sizes.sorted(by: >), &tally)
    }

    /// Cuts the file at every `step`th byte.
    func truncateEverywhere(step: Int, _ tally: inout Tally) {
        cut(Array(stride(from: original.count - 1, through: 0, by: -step)), &tally)
    }

    /// Reads the file cut to each of these falling sizes; and, as after a loss of power, in its full size with zeros
    /// from there on.
    private func cut(_ sizes: [Int], _ tally: inout Tally) {
        for size in sizes {
            precondition(ftruncate(descriptor, off_t(size)) == 0)
            tally.truncated += 1
            tally.read(path, "\(name) cut at byte \(size)")
            precondition(ftruncate(descriptor, off_t(original.count)) == 0)
            tally.emptied += 1
            tally.read(path, "\(name) empty from byte \(size)")
        }
        write(original, at: 0)
    }

    /// Overwrites one to eight bytes `count` times, next to each other or anywhere.
    func corrupt(_ count: Int, _ tally: inout Tally) {
        for _ in 0..<count {
            let length = Int.random(in: 1...8, using: &random)
            let start = position()
            let together = Bool.random(using: &random)
            let places = (0..<length).map { index in
                index == 0 ? start : together ? min(start + index, original.count - 1) : position()
            }
            // The ends of what a byte can be are worse than the rest.
            let extremes: [UInt8] = [0, 0xff, 0x7f, 0x80, 1]
            let values = places.map { _ in
                Bool.random(using: &random)
                    ? extremes[Int.random(in: 0..<extremes.count, using: &random)]
                    : UInt8.random(in: .min ... .max, using: &random)
            }
            for (place, value) in zip(places, values) { write([value], at: place) }
            tally.corrupted += 1
            tally.read(path, "\(name) with \(values) at \(places)")
            for place in places { write(original[place...place], at: place) }
        }
    }
}

/// What came of reading damaged files.
struct Tally: CustomStringConvertible {
    var truncated = 0
    var emptied = 0
    var corrupted = 0
    private(set) var refused = 0
    private(set) var read = 0
    private(set) var marks = 0
    private(set) var withDefects = 0

    var description: String {
        "\(truncated) cut, \(emptied) emptied, \(corrupted) overwritten: \(refused) refused, "
            + "\(read) read to their end (\(withDefects) with defects, \(marks) marks)"
    }

    /// Opens a file and reads all of its marks, as an analysis would.
    mutating func read(_ path: String, _ damage: @autoclosure () -> String) {
        Watchdog.feed()
        let file: TraceFile
        do throws(TraceFileError) {
            file = try TraceFile(path: path)
        } catch {
            // Typed: nothing else can be thrown. The system has no reason to refuse the file itself.
            if case .system(let error) = error.fault { Issue.record("\(damage()): \(error)") }
            refused += 1
            return
        }
        _ = file.symbols(event: "kfree_skb", field: "reason")
        do {
            let stream = try MarkStream(
                [StreamSource(file: file, selection: Selection(TapSelection.queries), maps: Self.maps(of: file))],
                workers: 1)
            try drain(stream, damage)
            read += 1
        } catch {
            Issue.record("\(damage()): \(error)")
        }
    }

    private mutating func drain(_ stream: MarkStream, _ damage: () -> String) throws {
        let block = UnsafeMutableBufferPointer<Mark>.allocate(capacity: 4096)
        defer { block.deallocate() }
        var last = [Nanoseconds](repeating: .min, count: stream.lanes.count)
        var previous = Nanoseconds.min
        while true {
            let count = stream.next(into: block)
            if count == 0 { break }
            marks += count
            for mark in block[..<count] {
                let lane = Int(mark.lane)
                if mark.time < last[lane] || mark.time < previous {
                    Issue.record("\(damage()): a mark at \(mark.time) behind \(last[lane]) on lane \(lane)")
                    return
                }
                last[lane] = mark.time
                previous = mark.time
                if mark.kind == 1 || mark.kind == 4 { _ = stream.names.name(UInt16(truncatingIfNeeded: mark.b)) }
            }
        }
        if stream.counts.contains(where: { !$0.defects.isEmpty }) { withDefects += 1 }
    }

    /// As for a guest, if the file still says that it is one.
    private static func maps(of file: TraceFile) -> [ClockMap] {
        let conversion = file.options.tscToNanoseconds
        let maps = file.options.timeShifts.compactMap { ClockMap.timeShift($0, hostClock: conversion) }
        return maps.isEmpty ? [.host(conversion)] : maps
    }
}
