// The points that a stack sets, on the host and in a guest.

/// What the points between a device and its application are called on one machine.
struct StackPoints {
    var ingress: Point
    var wake: Point
    var run: Point
    var read: Point
    var send: Point

    static func of(machine: MachineID) -> StackPoints {
        machine.isHost
            ? StackPoints(ingress: .hostIngress, wake: .appWake, run: .appRun, read: .appRead, send: .appSend)
            : StackPoints(ingress: .guestIngress, wake: .guestWake, run: .guestRun, read: .guestRead, send: .guestSend)
    }
}
