// A second look at chosen packets: the first pass over a session says which, by the numbers of their journeys.
//
// To keep of every point which mark showed it would make every journey half as large again, and nearly nobody asks. So
// the first pass keeps times alone. Who wants to explain some packets passes over the same marks once more, with a
// witness for these.

package final class Witness {
    /// The numbers of the journeys it is there for.
    package let numbers: Set<Int>
    private var found: [Int: JourneyEvidence] = [:]

    package init(_ numbers: some Sequence<Int>) { self.numbers = Set(numbers) }

    func keep(_ evidence: JourneyEvidence, of number: Int) { found[number] = evidence }

    /// What shows the points of a journey; nil for one that it is not there for, or of which there is only a count.
    package subscript(number: Int) -> JourneyEvidence? { found[number] }
}
