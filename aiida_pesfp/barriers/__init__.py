"""Migration barriers of an ion in a framework that relaxes, with any potential that gives forces."""
