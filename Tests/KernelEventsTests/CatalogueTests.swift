// The catalogue of kernel events is held together: a row that contradicts itself or another one is a mistake nobody
// would see.

import KernelEvents
import Testing

@Suite struct CatalogueTests {
    @Test func `no event stands in it twice, nor two of one name`() {
        #expect(Set(KernelEvent.all.map(\.name)).count == KernelEvent.all.count)
    }

    @Test func `no operand lies on another one of the same event`() {
        for event in KernelEvent.all {
            for word in [KernelEvent.Operand.Word.a, .b] {
                let bits = event.operands.filter { $0.word == word }.map { $0.shift..<$0.shift + $0.width }
                #expect(bits.allSatisfy { (0...64).contains($0.lowerBound) && $0.upperBound <= 64 }, "\(event)")
                for (index, range) in bits.enumerated() {
                    #expect(!bits[..<index].contains { $0.overlaps(range) }, "\(event) in \(word)")
                }
            }
        }
    }

    @Test func `what nobody reads of an event is not recorded either`() {
        func filter(_ event: KernelEvent) -> String? { event.filter }
        #expect(filter(.softirqRaise) == "vec == 3")
        #expect(filter(.napiGROReceiveExit) == "ret < 2")
        #expect(filter(.kvmPIO) == "rw == 1")
        #expect(KernelEvent.all.allSatisfy { $0.condition == nil || $0.filter != nil })
        // What the recorder narrows down has no filter of its own that would be lost.
        #expect(KernelEvent.all.allSatisfy { $0.narrowing == nil || $0.filter == nil })
    }

    @Test func `a call's end is recorded whole, and its begin where it may send`() {
        for call in KernelEvent.calls {
            #expect(call.exit.filter == nil)
            #expect((call.enter.filter != nil) == call.isFiltered, "\(call.enter)")
        }
        #expect(KernelEvent.calls.filter(\.isFiltered).map(\.enter.name).contains("sys_enter_setsockopt"))
    }

    /// Findings of the doctor have these ids, and programs tell them apart by them.
    @Test func `what is not seen has one id on a kind of machine`() {
        for blind in [\KernelEvent.blindOnHost, \KernelEvent.blindInGuest] {
            var meanings: [String: Blindness] = [:]
            for case let blindness? in KernelEvent.all.map({ $0[keyPath: blind] }) {
                #expect(meanings[blindness.id, default: blindness] == blindness)
                meanings[blindness.id] = blindness
            }
            #expect(!meanings.isEmpty)
        }
        #expect(KernelEvent.all.allSatisfy { $0.place != .host || $0.blindInGuest == nil })
    }

    @Test func `an event that was renamed is there once in each kernel`() {
        #expect(KernelEvent.ioUringSubmitSQE.until == KernelEvent.ioUringSubmitReq.since)
        for event in KernelEvent.all {
            if let since = event.since, let until = event.until { #expect(since < until, "\(event)") }
        }
    }
}
