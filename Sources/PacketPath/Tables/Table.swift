// A shelf whose elements have names of a type of their own.

/// Rows that are read and changed where they stand, and never go away.
struct Table<ID: RowID, Element: ~Copyable>: ~Copyable {
    private var rows = StableArray<Element>()

    init() {}

    init(_ elements: some Sequence<Element>) where Element: Copyable {
        for element in elements { rows.append(element) }
    }

    var count: Int { rows.count }

    /// - Returns: its row.
    @discardableResult
    mutating func append(_ element: consuming Element) -> ID {
        rows.append(element)
        return ID(row: rows.count - 1)
    }

    /// All rows, in the order they came.
    @inline(__always)
    var ids: Rows<ID> { Rows(count: rows.count) }

    /// The newest row; for tables that are not empty.
    var last: ID { ID(row: rows.count - 1) }

    /// The only row there is; nil where there are none or several.
    var only: ID? { rows.count == 1 ? last : nil }

    @inline(__always)
    subscript(id: ID) -> Element {
        unsafeAddress { unsafe address(id) }
        nonmutating unsafeMutableAddress { unsafe mutableAddress(id) }
    }

    /// Where a row stands, for subscripts that are built on this one; valid until the next `append`.
    @inline(__always)
    func address(_ id: ID) -> UnsafePointer<Element> { unsafe rows.address(id.row) }

    @inline(__always)
    func mutableAddress(_ id: ID) -> UnsafeMutablePointer<Element> { unsafe rows.mutableAddress(id.row) }

    @inline(__always)
    func firstID(where matches: (borrowing Element) -> Bool) -> ID? {
        rows.firstIndex(where: matches).map { ID(row: $0) }
    }
}

/// The rows of a table, one after the other.
struct Rows<ID: RowID>: Sequence, IteratorProtocol {
    private var row = 0
    private let count: Int

    fileprivate init(count: Int) { self.count = count }

    @inline(__always)
    mutating func next() -> ID? {
        guard row < count else { return nil }
        defer { row += 1 }
        return ID(row: row)
    }
}
