// A selection compiled against one file's formats: event id to offsets, widths and places.

/// How one event's record becomes a mark: a handful of loads, all bounds known beforehand.
struct ExtractionPlan: BitwiseCopyable {
    var kind: UInt8
    var stepCount: UInt8
    /// Smallest record that holds all fields of the plan.
    var minimumSize: UInt16
    /// Where `common_pid` and `common_flags` lie.
    var threadOffset: UInt16
    var flagsOffset: UInt16
    /// Steps of the plan, in the program's array.
    var firstStep: UInt16
}

struct ExtractionStep: BitwiseCopyable {
    enum Action: UInt8 {
        case toA, toB
        /// Leave the event out unless the number equals `value`, or is below it.
        case requireEqual, requireBelow
    }

    var action: Action
    /// The word at `offset` locates a string (`__data_loc`), which is interned.
    var isName: Bool
    /// The string's offset counts from the end of the word (`__rel_loc`).
    var isRelative: Bool
    var isSigned: Bool
    var offset: UInt16
    var size: UInt8
    var shift: UInt8
    var mask: UInt64
    var value: UInt64
}

/// Everything a scanner needs to know of a file's events; compiled once, read by all of its CPUs.
@safe final class ExtractionProgram: @unchecked Sendable {
    /// Index of an event's plan plus one, by event id; 0 for events nobody asked for.
    let planOfID: UnsafeMutableBufferPointer<UInt8>
    let plans: UnsafeMutableBufferPointer<ExtractionPlan>
    let steps: UnsafeMutableBufferPointer<ExtractionStep>
    /// Events asked for that this file has no format of, or not the fields that are needed.
    let missing: [String]
    /// The formats the program was made from.
    let formats: EventFormats

    init(_ selection: Selection, _ file: TraceFile) {
        formats = EventFormats(file.formats, longSize: file.longSize, only: Set(selection.queries.map(\.event)))
        var plans: [ExtractionPlan] = []
        var steps: [ExtractionStep] = []
        var missing: [String] = []
        var places: [(id: Int, plan: UInt8)] = []
        for query in selection.queries {
            guard let format = formats[query.event], plans.count < 255,
                let plan = Self.compile(query, format, &steps)
            else {
                missing.append(query.event)
                continue
            }
            plans.append(plan)
            places.append((format.id, UInt8(plans.count)))
        }
        unsafe planOfID = .allocate(capacity: 1 << 16)
        unsafe planOfID.initialize(repeating: 0)
        for place in places { unsafe planOfID[place.id] = place.plan }
        unsafe self.plans = .allocate(capacity: max(1, plans.count))
        _ = unsafe self.plans.initialize(from: plans)
        unsafe self.steps = .allocate(capacity: max(1, steps.count))
        _ = unsafe self.steps.initialize(from: steps)
        self.missing = missing
    }

    deinit {
        unsafe planOfID.deallocate()
        unsafe plans.deallocate()
        unsafe steps.deallocate()
    }

    private static func compile(
        _ query: EventQuery, _ format: EventFormat, _ steps: inout [ExtractionStep]
    ) -> ExtractionPlan? {
        guard let thread = format.field("common_pid"), thread.size == 4, thread.shape == .number,
            let flags = format.field("common_flags"), flags.size == 1, flags.shape == .number
        else { return nil }
        var own: [ExtractionStep] = []
        var minimum = max(4, thread.end, flags.end)
        if let condition = query.condition {
            let (name, action, value): (String, ExtractionStep.Action, UInt64) =
                switch condition {
                case .equals(let name, let value): (name, .requireEqual, value)
                case .below(let name, let value): (name, .requireBelow, value)
                }
            guard let field = format.field(name), var step = load(field) else { return nil }
            step.action = action
            step.value = value
            own.append(step)
            minimum = max(minimum, field.end)
        }
        for operand in query.operands {
            let field = operand.fields.lazy.compactMap { format.field($0) }.first
            guard let field, var step = load(field), (step.isName) == (operand.value == .name) else {
                if operand.isRequired { return nil }
                continue
            }
            step.action = operand.place == .a ? .toA : .toB
            step.shift = UInt8(operand.shift)
            step.mask = operand.width >= 64 ? .max : (1 << UInt64(operand.width)) - 1
            own.append(step)
            minimum = max(minimum, field.end)
        }
        guard minimum <= Int(UInt16.max), steps.count + own.count <= Int(UInt16.max) else { return nil }
        defer { steps += own }
        return ExtractionPlan(
            kind: query.kind, stepCount: UInt8(own.count), minimumSize: UInt16(minimum),
            threadOffset: UInt16(thread.offset), flagsOffset: UInt16(flags.offset), firstStep: UInt16(steps.count))
    }

    private static func load(_ field: EventField) -> ExtractionStep? {
        let isName = field.shape == .dynamic || field.shape == .relativeDynamic
        guard field.offset <= Int(UInt16.max) - 8, [1, 2, 4, 8].contains(field.size), field.shape != .array else { return nil }
        if isName && field.size != 4 { return nil }
        return ExtractionStep(
            action: .toA, isName: isName, isRelative: field.shape == .relativeDynamic, isSigned: field.isSigned,
            offset: UInt16(field.offset), size: UInt8(field.size), shift: 0, mask: .max, value: 0)
    }
}
