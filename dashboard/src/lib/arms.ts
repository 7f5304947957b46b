// Each arm has a colour of its own, the control a quiet one.
const colours = ["control", "candidate", "third", "fourth"];
export const armColour = (place: number): string => colours[Math.min(place, colours.length - 1)] ?? "candidate";
