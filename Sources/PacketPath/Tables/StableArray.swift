// A growing row of values that are read and changed where they stand.

/// Like an array, but nothing is ever copied out of it by reading a part: its elements hold arrays of their own, and
/// copying one would retain and release them all for each field that is looked at.
@safe struct StableArray<Element: ~Copyable>: ~Copyable {
    private var elements: UnsafeMutablePointer<Element>
    private var capacity = 8
    private(set) var count = 0

    init() { unsafe elements = .allocate(capacity: capacity) }

    deinit {
        unsafe elements.deinitialize(count: count)
        unsafe elements.deallocate()
    }

    mutating func append(_ element: consuming Element) {
        if count == capacity {
            let larger = UnsafeMutablePointer<Element>.allocate(capacity: capacity * 2)
            unsafe larger.moveInitialize(from: elements, count: count)
            unsafe elements.deallocate()
            unsafe elements = larger
            capacity *= 2
        }
        unsafe (elements + count).initialize(to: element)
        count += 1
    }

    var indices: Range<Int> { 0..<count }

    @inline(__always)
    subscript(index: Int) -> Element {
        unsafeAddress { unsafe address(index) }
        nonmutating unsafeMutableAddress { unsafe mutableAddress(index) }
    }

    /// Where an element stands, for subscripts that are built on this one; valid until the next `append`.
    @inline(__always)
    func address(_ index: Int) -> UnsafePointer<Element> { unsafe UnsafePointer(mutableAddress(index)) }

    @inline(__always)
    func mutableAddress(_ index: Int) -> UnsafeMutablePointer<Element> {
        precondition(index >= 0 && index < count, "index out of range")
        return unsafe elements + index
    }

    @inline(__always)
    func firstIndex(where matches: (borrowing Element) -> Bool) -> Int? {
        for index in 0..<count where unsafe matches(elements[index]) { return index }
        return nil
    }
}
