//! Programs as the user has them: loaded, attached to ports, swapped and unloaded while packets are in flight.

use offwire_image::{DispatchMode, Image, MapSpec};
use offwire_isa::{CodeAddr, Word};

use crate::counters::{PortCounters, ProgramCounters};
use crate::device::Device;
use crate::error::{AttachError, LoadError, ProgramError};
use crate::geometry::PORTS;
use crate::id::{MapId, ProgramId};
use crate::load::{Parts, Place, decode};
use crate::map::table::MapImage;
use crate::map::unit::MapUnit;
use crate::program::{ProgramState, Programs};
use crate::reclaim::Reclaim;
use crate::trace::Trace;

impl<T: Trace> Device<T> {
    /// Loads a program. `maps` has an existing map, by slot of the image's map table, or `None`, also where it ends: that map is
    /// created from the image, with its initial contents, and goes with the last program that holds it. No packet runs the program
    /// before it is attached.
    ///
    /// An image that was not checked ([`Image::validate`]) may be loaded: the device refuses what it cannot run, and what is wrong
    /// beyond that hurts only the image's own packets.
    ///
    /// # Errors
    /// What the device cannot run, has no room for, or an existing map that is not the image's. Nothing has changed then.
    pub fn program_load(&mut self, image: &Image, maps: &[Option<MapId>]) -> Result<ProgramId, LoadError> {
        let (words, programs) = decode(image, self.profile)?;
        self.program_load_parts(&Parts::of(image, &words, &programs), maps)
    }

    /// The same for decoded words.
    #[doc(hidden)]
    pub fn program_load_parts(&mut self, parts: &Parts<'_>, maps: &[Option<MapId>]) -> Result<ProgramId, LoadError> {
        self.reap();
        let (programs, map, reclaim) = (&mut self.programs, &mut self.map, &mut self.reclaim);
        Place { programs, map, reclaim, profile: self.profile }.load(parts, maps)
    }

    /// Unloads a program that is attached to no port. Its words are free again, and the maps that came with it and nobody else
    /// holds gone, when the last packet that was inside has left.
    ///
    /// # Errors
    /// There is no such program, or it is attached.
    pub fn program_unload(&mut self, program: ProgramId) -> Result<(), ProgramError> {
        let ports = self.ports_of(program);
        let loaded = self.programs.get_mut(program).ok_or(ProgramError::NoProgram(program))?;
        if ports != 0 {
            return Err(ProgramError::Attached { port: ports.trailing_zeros() as u16 });
        }
        loaded.leaving = true;
        let maps = std::mem::take(&mut loaded.maps);
        self.map.views[program.index()].leaving = true;
        self.reclaim.program(program);
        for map in maps {
            self.map.unhold(map, &mut self.reclaim);
        }
        self.reap();
        Ok(())
    }

    /// What a program is.
    ///
    /// # Errors
    /// There is no such program.
    pub fn program_info(&self, program: ProgramId) -> Result<ProgramState, ProgramError> {
        let loaded = self.programs.get(program).ok_or(ProgramError::NoProgram(program))?;
        let running = &self.programs.running[program.index()];
        Ok(ProgramState {
            name: loaded.name.clone(),
            base: loaded.base,
            words: loaded.words,
            maps: loaded.maps.clone(),
            mode: loaded.mode,
            entry: CodeAddr(running.entry),
            budget: running.budget,
            ports: self.ports_of(program),
        })
    }

    /// The program with the next higher number, or the first one. Programs that are being unloaded are not listed.
    pub fn program_next_id(&self, after: Option<ProgramId>) -> Option<ProgramId> {
        self.programs.ids().find(|&program| after.is_none_or(|after| program > after))
    }

    /// Words of the instruction store that are taken, also by what is still being unloaded, and all.
    pub fn store_words(&self) -> (u32, u32) {
        (self.programs.words(), self.profile.instruction_store_words)
    }

    /// What became of the packets of a program since it was loaded.
    ///
    /// # Errors
    /// There is no such program.
    pub fn program_counters(&self, program: ProgramId) -> Result<ProgramCounters, ProgramError> {
        self.programs.get(program).ok_or(ProgramError::NoProgram(program))?;
        Ok(self.programs.counters[program.index()])
    }

    /// Packets that run a program or wait for it; they entered the ingress FIFO and have not left.
    ///
    /// # Errors
    /// There is no such program.
    pub fn program_inside(&self, program: ProgramId) -> Result<u32, ProgramError> {
        self.programs.get(program).ok_or(ProgramError::NoProgram(program))?;
        Ok(self.programs.inside[program.index()])
    }

    /// What came to a port since power on or `load`; nothing to a port that there is not.
    pub fn port_counters(&self, port: u16) -> PortCounters {
        self.ports.get(usize::from(port)).copied().unwrap_or_default()
    }

    fn ports_of(&self, program: ProgramId) -> u64 {
        let attached = (0..).zip(&self.attached);
        attached.filter(|(_, on)| on.is_some_and(|(on, _)| on == program)).fold(0, |ports, (port, _)| ports | 1 << port)
    }

    /// Attaches a program to a port, also over another one: packets that enter the ingress FIFO from now on run it, those that are
    /// inside run what they were to run. `mode` overrides the image's dispatch mode; it is the user's to know that a looser one
    /// than the compiler proved may go wrong. Gives the program that was attached before.
    ///
    /// # Errors
    /// There is no such port or program.
    pub fn attach(
        &mut self,
        port: u16,
        program: ProgramId,
        mode: Option<DispatchMode>,
    ) -> Result<Option<ProgramId>, AttachError> {
        let at = self.attached.get_mut(usize::from(port)).ok_or(AttachError::Port(port))?;
        let loaded = self.programs.get(program).ok_or(AttachError::NoProgram(program))?;
        let before = at.replace((program, mode.unwrap_or(loaded.mode)));
        Ok(before.map(|(program, _)| program))
    }

    /// Takes the program from a port; packets that come from now on leave as they are. Gives the program.
    ///
    /// # Errors
    /// There is no such port, or no program is attached to it.
    pub fn detach(&mut self, port: u16) -> Result<ProgramId, AttachError> {
        let at = self.attached.get_mut(usize::from(port)).ok_or(AttachError::Port(port))?;
        at.take().map(|(program, _)| program).ok_or(AttachError::NotAttached(port))
    }

    /// The program of a port, and its dispatch mode there.
    pub fn attached(&self, port: u16) -> Option<(ProgramId, DispatchMode)> {
        self.attached.get(usize::from(port)).copied().flatten()
    }

    /// The dispatch mode of the first port that has a program; `cpu` if none has.
    pub fn dispatch_mode(&self) -> DispatchMode {
        self.attached.iter().flatten().next().map_or(DispatchMode::Cpu, |&(_, mode)| mode)
    }

    /// Makes this a device with one program: everything is as after power on, the image's maps have the numbers of their slots, and
    /// the program is attached to all ports. `mode` overrides the image's, as in [`Device::attach`].
    ///
    /// # Errors
    /// Packets are inside, or what [`Device::program_load`] refuses. What was there before stays then.
    pub fn load(&mut self, image: &Image, mode: Option<DispatchMode>) -> Result<(), LoadError> {
        let (words, programs) = decode(image, self.profile)?;
        let mut parts = Parts::of(image, &words, &programs);
        parts.mode = mode.unwrap_or(parts.mode);
        self.load_parts(&parts)
    }

    /// Loads a program of decoded words; [`Device::load`] does it for an image.
    #[doc(hidden)]
    pub fn load_words(
        &mut self,
        words: &[Word],
        entry: CodeAddr,
        maps: &[MapSpec],
        mode: DispatchMode,
        budget: u32,
    ) -> Result<(), LoadError> {
        self.load_linked(words, entry, &[], MapImage { maps, ..MapImage::default() }, mode, budget)
    }

    /// The same with all that an image has; `programs` are the entries for tail calls.
    #[doc(hidden)]
    pub fn load_linked(
        &mut self,
        words: &[Word],
        entry: CodeAddr,
        programs: &[CodeAddr],
        maps: MapImage<'_>,
        mode: DispatchMode,
        budget: u32,
    ) -> Result<(), LoadError> {
        self.load_parts(&Parts { name: "", words, entry, programs, maps, mode, budget })
    }

    fn load_parts(&mut self, parts: &Parts<'_>) -> Result<(), LoadError> {
        if !self.is_idle() {
            return Err(LoadError::Busy);
        }
        let (mut map, mut programs) = (MapUnit::new(self.profile, self.seed), Programs::default());
        let (profile, reclaim) = (self.profile, &mut Reclaim::default());
        let program = Place { programs: &mut programs, map: &mut map, reclaim, profile }.load(parts, &[])?;
        self.reset(map, programs);
        self.attached = [Some((program, parts.mode)); PORTS as usize];
        Ok(())
    }
}
