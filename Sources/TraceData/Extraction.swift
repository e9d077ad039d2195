// A selection compiled against one file's formats: event id to offsets, widths and places.

/// How one event's record becomes a mark: a handful of loads, all bounds known beforehand.
struct ExtractionPlan: BitwiseCopyable {
    var kind: UInt8
    /// Steps of the plan, in the program's arrays.
    var numberCount: UInt8
    var nameCount: UInt8
    var firstNumber: UInt16
    var firstName: UInt16
    /// Smallest record that holds all fields of the plan.
    var minimumSize: UInt16
    /// Where `common_pid` and `common_flags` lie.
    var threadOffset: UInt16
    var flagsOffset: UInt16
    /// What an event must meet to become a mark.
    var condition: Condition?

    /// A number is one of the `span` ones from `lowest` on.
    struct Condition: BitwiseCopyable {
        var number: NumberLoad
        var mask: UInt64
        var lowest: UInt64
        var span: UInt64

        @inline(__always)
        func holds(_ record: UnsafeRawPointer) -> Bool { unsafe (number.load(record) & mask) &- lowest < span }
    }
}

/// Where a number lies: in the eight bytes that end where it ends, as their upper end, so that one load and one shift
/// do for every size.
///
/// They are all in the record, which begins with the eight bytes of the fields that all events have. A number among
/// these is somewhere in them instead, and has no sign in any kernel.
struct NumberLoad: BitwiseCopyable {
    var offset: UInt16
    var shift: UInt8

    init?(_ field: EventField) {
        guard field.end <= Int(UInt16.max), [1, 2, 4, 8].contains(field.size) else { return nil }
        if field.end >= 8 {
            offset = UInt16(field.end - 8)
            shift = UInt8(64 - 8 * field.size)
        } else {
            guard !field.isSigned else { return nil }
            offset = 0
            shift = UInt8(8 * field.offset)
        }
    }

    /// The number, with whatever is to the left of it where it has no sign.
    @inline(__always)
    func load(_ record: UnsafeRawPointer) -> UInt64 {
        let word = unsafe Int64(littleEndian: record.loadUnaligned(fromByteOffset: Int(offset), as: Int64.self))
        return UInt64(bitPattern: word &>> Int64(shift))
    }

    /// The bits of it that mean something: all of them for a number with a sign.
    static func mask(_ field: EventField) -> UInt64 {
        field.isSigned || field.size == 8 ? .max : 1 << UInt64(8 * field.size) - 1
    }
}

/// Where in the operands a value goes: into one of them, the other one's mask is 0.
struct OperandBits: BitwiseCopyable {
    var shift: UInt8
    var maskA: UInt64
    var maskB: UInt64

    /// - Parameter known: the bits of the value that mean something.
    init(_ operand: EventQuery.Operand, known: UInt64 = .max) {
        let width: UInt64 = operand.width >= 64 ? .max : 1 << UInt64(operand.width) - 1
        let mask = (width & known) << UInt64(operand.shift)
        shift = UInt8(operand.shift)
        maskA = operand.place == .a ? mask : 0
        maskB = operand.place == .b ? mask : 0
    }

    @inline(__always)
    func put(_ value: UInt64, _ a: inout UInt64, _ b: inout UInt64) {
        a |= value &<< UInt64(shift) & maskA
        b |= value &<< UInt64(shift) & maskB
    }
}

/// A number's way into the operands.
struct NumberStep: BitwiseCopyable {
    var number: NumberLoad
    var place: OperandBits
}

/// A string's way into the operands, as a number (`NameTable`).
struct NameStep: BitwiseCopyable {
    /// Of the word that locates it (`__data_loc`).
    var offset: UInt16
    /// What the string's own offset counts from: the record's beginning, or the end of that word (`__rel_loc`).
    var origin: UInt16
    var place: OperandBits
}

/// Everything a scanner needs to know of a file's events; compiled once, read by all of its CPUs.
@safe final class ExtractionProgram: @unchecked Sendable {
    /// Index of an event's plan plus one, by event id; 0 for events nobody asked for.
    let planOfID: UnsafeMutableBufferPointer<UInt8>
    let plans: UnsafeMutableBufferPointer<ExtractionPlan>
    let numbers: UnsafeMutableBufferPointer<NumberStep>
    let names: UnsafeMutableBufferPointer<NameStep>
    /// Events asked for that this file has no format of, or not the fields that are needed.
    let missing: [String]
    /// The formats the program was made from.
    let formats: EventFormats

    init(_ selection: Selection, _ file: TraceFile) {
        formats = EventFormats(file.formats, longSize: file.longSize, only: Set(selection.queries.map(\.event)))
        var plans: [ExtractionPlan] = []
        var steps = Steps()
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
        unsafe self.plans = Self.allocate(plans)
        unsafe numbers = Self.allocate(steps.numbers)
        unsafe names = Self.allocate(steps.names)
        self.missing = missing
    }

    deinit {
        unsafe planOfID.deallocate()
        unsafe plans.deallocate()
        unsafe numbers.deallocate()
        unsafe names.deallocate()
    }

    private static func allocate<Element: BitwiseCopyable>(_ elements: [Element]) -> UnsafeMutableBufferPointer<Element>
    {
        let buffer = UnsafeMutableBufferPointer<Element>.allocate(capacity: max(1, elements.count))
        _ = unsafe buffer.initialize(from: elements)
        return unsafe buffer
    }

    private struct Steps {
        var numbers: [NumberStep] = []
        var names: [NameStep] = []

        /// - Returns: whether the field is of the sort that is wanted.
        mutating func add(_ operand: EventQuery.Operand, _ field: EventField) -> Bool {
            switch (operand.value, field.shape) {
            case (.number, .number):
                guard let number = NumberLoad(field) else { return false }
                numbers.append(NumberStep(number: number, place: OperandBits(operand, known: NumberLoad.mask(field))))
            case (.name, .dynamic), (.name, .relativeDynamic):
                guard field.size == 4, field.end <= Int(UInt16.max) else { return false }
                names.append(
                    NameStep(
                        offset: UInt16(field.offset), origin: field.shape == .relativeDynamic ? UInt16(field.end) : 0,
                        place: OperandBits(operand)))
            default: return false
            }
            return true
        }
    }

    /// - Returns: nil when the format lacks a field that is needed, or has it in a shape that no kernel writes.
    private static func compile(_ query: EventQuery, _ format: EventFormat, _ steps: inout Steps) -> ExtractionPlan? {
        guard let thread = format.field("common_pid"), thread.size == 4, thread.shape == .number,
            let flags = format.field("common_flags"), flags.size == 1, flags.shape == .number
        else { return nil }
        var own = Steps()
        // So much is loaded at a time, see `NumberLoad`.
        var minimum = max(8, thread.end, flags.end)
        var condition: ExtractionPlan.Condition?
        if let wanted = query.condition {
            let (name, lowest, span): (String, UInt64, UInt64) =
                switch wanted {
                case .equals(let name, let value): (name, value, 1)
                case .below(let name, let value): (name, 0, value)
                }
            guard let field = format.field(name), field.shape == .number, let number = NumberLoad(field) else {
                return nil
            }
            condition = ExtractionPlan.Condition(
                number: number, mask: NumberLoad.mask(field), lowest: lowest, span: span)
            minimum = max(minimum, field.end)
        }
        for operand in query.operands {
            guard let field = operand.fields.lazy.compactMap({ format.field($0) }).first, own.add(operand, field) else {
                if operand.isRequired { return nil }
                continue
            }
            minimum = max(minimum, field.end)
        }
        guard minimum <= Int(UInt16.max), steps.numbers.count + own.numbers.count <= Int(UInt16.max) else { return nil }
        defer {
            steps.numbers += own.numbers
            steps.names += own.names
        }
        return ExtractionPlan(
            kind: query.kind, numberCount: UInt8(own.numbers.count), nameCount: UInt8(own.names.count),
            firstNumber: UInt16(steps.numbers.count), firstName: UInt16(steps.names.count),
            minimumSize: UInt16(minimum),
            threadOffset: UInt16(thread.offset), flagsOffset: UInt16(flags.offset), condition: condition)
    }
}
