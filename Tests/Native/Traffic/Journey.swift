// The packets that virtlat found: rows of its --packets table.

import LinuxSystem

struct Journey {
    enum Direction: String { case rx, tx }

    var device: String
    var direction: Direction
    var length: Int
    var isComplete: Bool
    /// Why it is not complete.
    var reason: String
    /// Host time in ns of the points it passed.
    var times: [Substring: Int64]
    var line: Substring

    /// When it was on the device; else the first that is known of it.
    var onDevice: Int64 { times[direction == .rx ? "host.ingress" : "host.egress"] ?? times.values.min() ?? 0 }

    /// Whether its points lie in the order of its path.
    var runsForward: Bool {
        let order: [Substring] =
            direction == .rx
            ? ["nic.irq", "nic.wake", "nic.run", "host.ingress", "app.wake", "app.run", "app.read"]
            : ["app.send", "host.egress", "nic.xmit"]
        let way = order.compactMap { times[$0] }
        return zip(way, way.dropFirst()).allSatisfy { $0 <= $1 }
    }

    static func table(_ path: String) throws -> [Journey] {
        let bytes: [UInt8]
        do { bytes = try TextFile.bytes(of: path, limit: 1 << 28) } catch {
            throw Failure("\(path): \(error.call): \(error.text)")
        }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        guard let header = lines.first?.split(separator: ",") else { throw Failure("\(path): empty") }
        func column(_ name: Substring) throws -> Int {
            guard let index = header.firstIndex(of: name) else { throw Failure("\(path): no column \(name)") }
            return index
        }
        let (device, direction, length) = (try column("device"), try column("direction"), try column("length"))
        let (status, reason, delivery) = (try column("status"), try column("reason"), try column("delivery"))
        return try lines.dropFirst().map { line in
            let cells = line.split(separator: ",", omittingEmptySubsequences: false)
            guard cells.count == header.count, let way = Direction(rawValue: String(cells[direction])),
                let bytes = Int(cells[length])
            else {
                throw Failure("\(path): not a packet: \(line)")
            }
            var times: [Substring: Int64] = [:]
            for index in header.indices where index > delivery { times[header[index]] = Int64(cells[index]) }
            return Journey(
                device: String(cells[device]), direction: way, length: bytes, isComplete: cells[status] == "complete",
                reason: String(cells[reason]), times: times, line: line)
        }
    }
}
