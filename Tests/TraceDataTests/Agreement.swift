// Compares all that virtlat reads of a file with what trace-cmd prints of it.

import ClockSync
import Testing
import TraceData

/// What a comparison found.
struct Agreement {
    private(set) var events = 0
    private(set) var numbers = 0
    private(set) var strings = 0
    private(set) var differences = 0
    /// The first few differences, for people.
    private(set) var examples: [String] = []

    /// One field of an event, as it is compared.
    private struct Item {
        var field: String
        var isName: Bool
        /// The bits that a field of its width has.
        var mask: UInt64

        func operand(_ place: EventQuery.Operand.Place) -> EventQuery.Operand {
            isName ? .name(field, to: place) : .number(field, to: place)
        }
    }

    /// Compares every event of `path` (time, CPU, thread, name), and every number and string of those events that
    /// `fieldsOf` names.
    ///
    /// A mark has two operands, so the file is read several times: first for all events, then again for those with
    /// fields left.
    init(_ path: String, fieldsOf selected: (String) -> Bool) throws {
        let report = try TraceReport(of: path)
        let file = try TraceFile(path: path)
        let formats = EventFormats(file.formats, longSize: file.longSize, only: Set(report.names))
        let items = report.names.map { selected($0) ? Self.items(formats[$0]) : [] }
        // Kinds below 250 are free.
        try #require(report.names.count < 249, "more kinds of events than a mark can tell apart")
        let passes = max(1, ((items.map(\.count).max() ?? 0) + 1) / 2)
        for pass in 0..<passes {
            let wanted = report.names.indices.filter { pass == 0 || items[$0].count > 2 * pass }
            let pairs = items.map { Array($0.dropFirst(2 * pass).prefix(2)) }
            let queries = wanted.map { index in
                EventQuery(
                    report.names[index], kind: UInt8(index + 1), zip(pairs[index], [.a, .b]).map { $0.operand($1) })
            }
            let scan = try Scan([StreamSource(file: file, selection: Selection(queries), maps: Self.maps(of: file))])
            for missing in scan.missing[0] { differ("\(missing) can't be read") }
            compare(scan, report, wanted: Set(wanted), pairs, isFirst: pass == 0)
        }
    }

    /// trace-cmd applies a TIME_SHIFT option whether the host's file is given or not.
    private static func maps(of file: TraceFile) throws -> [ClockMap] {
        let conversion = file.options.tscToNanoseconds
        guard !file.options.timeShifts.isEmpty else { return [.host(conversion)] }
        return try file.options.timeShifts.map { try #require(ClockMap.timeShift($0, hostClock: conversion)) }
    }

    private static func items(_ format: EventFormat?) -> [Item] {
        (format?.fields ?? []).compactMap { field in
            switch field.shape {
            case .number where [1, 2, 4, 8].contains(field.size):
                Item(field: field.name, isName: false, mask: field.size == 8 ? .max : 1 << UInt64(8 * field.size) - 1)
            case .dynamic where field.isString, .relativeDynamic where field.isString:
                Item(field: field.name, isName: true, mask: 0)
            default: nil
            }
        }
    }

    private mutating func differ(_ text: @autoclosure () -> String) {
        differences += 1
        if examples.count < 10 { examples.append(text()) }
    }

    private mutating func compare(
        _ scan: Scan, _ report: TraceReport, wanted: Set<Int>, _ pairs: [[Item]], isFirst: Bool
    ) {
        for (lane, place) in scan.lanes.enumerated() {
            let marks = scan.marks.filter { $0.lane == lane && $0.kind < Mark.Reserved.lostBegin }
            let all = report.events[place.cpu] ?? []
            let expected = isFirst ? all : all.filter { wanted.contains($0.name) }
            if marks.count != expected.count {
                differ("CPU \(place.cpu): \(marks.count) marks, \(expected.count) events in the report")
            }
            for (mark, event) in zip(marks, expected) {
                let name = Int(mark.kind) - 1
                if mark.time != event.time || mark.thread != event.pid || name != event.name {
                    let expected = "\(report.names[event.name]) at \(event.time) by \(event.pid)"
                    differ("\(report.names[name]) at \(mark.time) by \(mark.thread), expected \(expected)")
                }
                for (item, operand) in zip(pairs[name], [mark.a, mark.b]) {
                    compare(item, operand, mark, scan, event, report)
                }
            }
            if isFirst {
                events += min(marks.count, expected.count)
                compareCounts(scan.counts[lane], place.cpu, report)
            }
        }
        let read = Set(scan.lanes.map(\.cpu))
        for cpu in report.events.keys where !read.contains(cpu) { differ("nothing of CPU \(cpu)") }
    }

    private mutating func compare(
        _ item: Item, _ operand: UInt64, _ mark: Mark, _ scan: Scan, _ event: TraceReport.Event, _ report: TraceReport
    ) {
        guard let place = report.place(of: item.field, in: event) else {
            return differ("\(report.names[event.name]) at \(event.time): no \(item.field) in the report")
        }
        if item.isName {
            strings += 1
            let name = scan.name(operand)
            if operand == 0 || !report.has(name, at: place) {
                differ("\(report.names[event.name]) at \(event.time): \(item.field) is \(name)")
            }
        } else {
            numbers += 1
            guard let value = report.number(at: place), value & item.mask == operand & item.mask else {
                return differ("\(report.names[event.name]) at \(event.time): \(item.field) is \(operand)")
            }
        }
    }

    private mutating func compareCounts(_ counts: LaneCounts, _ cpu: Int, _ report: TraceReport) {
        if counts.events != report.events[cpu]?.count ?? 0 { differ("CPU \(cpu): \(counts.events) events") }
        if counts.holes != report.holes[cpu] ?? 0 {
            differ("CPU \(cpu): \(counts.holes) holes, \(report.holes[cpu] ?? 0) in the report")
        }
        if counts.lost != report.lost[cpu] ?? 0 {
            differ("CPU \(cpu): \(counts.lost) lost, \(report.lost[cpu] ?? 0) in the report")
        }
        for defect in counts.defects { differ("CPU \(cpu): defect \(defect.kind.rawValue)") }
    }
}
