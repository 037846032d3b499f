#include "app/command_line.hpp"

int main(int argc, char** argv) { return perilune::app::CommandLine().run({argv + 1, argv + argc}); }
