// Preprocessings that many networks were trained with. Pixels are scaled to 0..1 before.

export interface Preset {
  name: string;
  mean: number[];
  deviation: number[];
}

const ofAnyChannels = (channels: number): Preset[] => [
  { name: "0 to 1", mean: Array(channels).fill(0), deviation: Array(channels).fill(1) },
  { name: "−1 to 1", mean: Array(channels).fill(0.5), deviation: Array(channels).fill(0.5) },
];

const OF_CHANNELS: Record<number, Preset[]> = {
  1: [
    { name: "MNIST", mean: [0.1307], deviation: [0.3081] },
    { name: "Fashion-MNIST", mean: [0.286], deviation: [0.353] },
  ],
  3: [
    { name: "ImageNet", mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] },
    { name: "CIFAR-10", mean: [0.4914, 0.4822, 0.4465], deviation: [0.247, 0.2435, 0.2616] },
  ],
};

/** The presets for an input of that many channels. */
export const presets = (channels: number): Preset[] => [...ofAnyChannels(channels), ...(OF_CHANNELS[channels] ?? [])];

/** What a field shows for a list of numbers. */
export const listed = (numbers: number[]): string => numbers.join(", ");
