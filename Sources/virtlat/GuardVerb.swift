// virtlat guard: started by record and agent to clean up after them; not for people.

import Affinity
import ArgumentParser
import LinuxSystem
import Recording

struct GuardVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "guard", abstract: "Clean up after a recorder or agent that is killed.", shouldDisplay: false)

    @Argument(help: "The ftrace instance.")
    var instance: String

    @Argument(help: "The session folder.")
    var folder: String?

    func run() throws {
        // An agent's has only an instance to remove, and no more rights than the agent. Nobody is there to be told.
        if folder == nil { try? Rights.denySystemCalls() }
        Guard.stand(over: instance) { process in
            _ = try? Binder().restore(ownedBy: process)
        } finish: {
            if let folder { try? CutOffSession.finish(folder: folder, instance: instance) }
        }
    }
}
