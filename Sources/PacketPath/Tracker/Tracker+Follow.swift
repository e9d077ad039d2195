// Marks in: which goes where.

package import TraceData

extension Tracker {
    /// Takes in the next marks, in time order.
    package mutating func follow(_ marks: UnsafeBufferPointer<Mark>) {
        for index in marks.indices {
            let mark = unsafe marks[index]
            let lane = LaneID(of: mark)
            let machine = lanes[lane].machine
            if mark.kind >= Mark.Reserved.lostBegin {
                reserved(mark, lane, machine)
                continue
            }
            guard let kind = kinds[Int(mark.kind)] else { continue }
            machines[machine].kindCounts[Int(mark.kind)] &+= 1
            if followsHost {
                if machine.isHost { followHostPath(kind, mark, lane) }
            } else if machine.isHost {
                followHost(kind, mark, lane)
            } else {
                followGuest(kind, mark, lane, machine)
            }
        }
    }
}
