// Flights in the order they came.

struct FlightQueue {
    private var items: [FlightID] = []
    private var head = 0

    var count: Int { items.count - head }
    var isEmpty: Bool { head == items.count }
    var first: FlightID? { isEmpty ? nil : items[head] }
    var last: FlightID? { isEmpty ? nil : items[items.count - 1] }
    subscript(index: Int) -> FlightID { items[head + index] }

    /// The newest are looked at first: they are what is asked for.
    func contains(_ id: FlightID) -> Bool { items[head...].lastIndex(of: id) != nil }

    mutating func append(_ id: FlightID) { items.append(id) }

    mutating func popFirst() -> FlightID? {
        guard head < items.count else { return nil }
        let id = items[head]
        head += 1
        if head == items.count {
            items.removeAll(keepingCapacity: true)
            head = 0
        } else if head >= 4096 {
            items.removeFirst(head)
            head = 0
        }
        return id
    }

    mutating func removeAll() {
        items.removeAll(keepingCapacity: true)
        head = 0
    }

    /// Takes out the newest occurrence of `id`.
    mutating func removeLast(_ id: FlightID) {
        if let index = items[head...].lastIndex(of: id) { items.remove(at: index) }
    }
}
